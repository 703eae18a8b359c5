# Roles for GitHub Actions by OIDC, without stored keys: plan (read only), apply (this platform's resources), deploy (images, packages).

locals {
  issuer = "token.actions.githubusercontent.com"
  # Who may take each role, by the token's subject.
  subjects = {
    plan   = ["repo:${var.repository}:pull_request", "repo:${var.repository}:ref:refs/heads/${var.branch}"]
    apply  = ["repo:${var.repository}:environment:${var.environment}"]
    deploy = ["repo:${var.repository}:environment:${var.environment}"]
  }
  values = {
    partition        = var.partition
    region           = var.region
    account_id       = var.account_id
    name_prefix      = var.name_prefix
    lake_arn         = var.lake_bucket_arn
    artifacts_arn    = var.artifacts_bucket_arn
    logs_arn         = var.logs_bucket_arn
    kms_key_arn      = var.kms_key_arn
    application_arn  = var.application_arn
    gold_database    = var.gold_database
    engine_role_arn  = var.engine_role_arn
    state_bucket_arn = var.state_bucket_arn
    state_key_arn    = var.state_key_arn
    environment      = var.environment
  }
}

resource "aws_iam_openid_connect_provider" "this" {
  count = var.create_provider ? 1 : 0

  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
  tags           = var.tags
}

resource "aws_iam_role" "this" {
  for_each = local.subjects

  name                 = "${var.name_prefix}-github-${each.key}"
  description          = "GitHub Actions: ${each.key}"
  max_session_duration = 3600
  permissions_boundary = each.key == "apply" ? aws_iam_policy.boundary.arn : null
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "WorkflowsOfOneRepository"
      Effect    = "Allow"
      Principal = { Federated = "arn:${var.partition}:iam::${var.account_id}:oidc-provider/${local.issuer}" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${local.issuer}:aud" = "sts.amazonaws.com"
          "${local.issuer}:sub" = each.value
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  for_each = local.subjects

  name   = each.key
  role   = aws_iam_role.this[each.key].id
  policy = templatefile("${path.module}/policies/${each.key}.json", local.values)
}

# Terraform reads many resources; AWS keeps this policy up to date. What it must not read is denied in policies/plan.json.
resource "aws_iam_role_policy_attachment" "read_only" {
  for_each = toset(["plan", "apply"])

  role       = aws_iam_role.this[each.key].name
  policy_arn = "arn:${var.partition}:iam::aws:policy/ReadOnlyAccess"
}

# The most that the apply role, and every role that it makes, can ever do.
resource "aws_iam_policy" "boundary" {
  name        = "${var.name_prefix}-boundary"
  description = "Upper limit of the roles that Terraform makes"
  policy      = templatefile("${path.module}/policies/boundary.json", local.values)
  tags        = var.tags
}
