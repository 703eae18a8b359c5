# Roles for people (analyst, engineer, operator) and for stores that upload directly to S3. Who may take them is a variable.

locals {
  values = {
    partition             = var.partition
    region                = var.region
    account_id            = var.account_id
    name_prefix           = var.name_prefix
    lake_arn              = var.lake_bucket_arn
    logs_arn              = var.logs_bucket_arn
    artifacts_arn         = var.artifacts_bucket_arn
    kms_key_arn           = var.kms_key_arn
    queue_arn             = var.queue_arn
    dead_letter_queue_arn = var.dead_letter_queue_arn
    application_arn       = var.application_arn
    gold_database         = var.gold_database
    workgroup_arn         = var.analysts_workgroup_arn
    engine_role_arn       = var.engine_role_arn
    secrets_arn           = "arn:${var.partition}:secretsmanager:${var.region}:${var.account_id}:secret:${var.name_prefix}"
  }
  # A role that nobody may take is not made.
  roles = { for name, principals in var.principals : name => principals if length(principals) > 0 }
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name                 = "${var.name_prefix}-${each.key}"
  description          = "Headgate: ${each.key}"
  max_session_duration = 3600
  permissions_boundary = var.permissions_boundary_arn
  tags                 = merge(var.tags, { Component = each.key })

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      merge(
        {
          Sid       = "NamedPrincipals"
          Effect    = "Allow"
          Principal = { AWS = each.value }
          # A store's name is a session tag, which its policy reads.
          Action = each.key == "store" ? ["sts:AssumeRole", "sts:TagSession"] : ["sts:AssumeRole"]
        },
        each.key == "store" ? { Condition = { StringLike = { "aws:RequestTag/store" = "?*" } } } :
        var.require_mfa ? { Condition = { Bool = { "aws:MultiFactorAuthPresent" = "true" } } } : {},
      ),
    ]
  })
}

resource "aws_iam_role_policy" "this" {
  for_each = local.roles

  name   = each.key
  role   = aws_iam_role.this[each.key].id
  policy = templatefile("${path.module}/policies/${each.key}.json", local.values)
}

# Lake Formation repeats the limits of people for engines that ask it, such as Athena and Redshift Spectrum. Stores read nothing.
locals {
  readers = setintersection(["analyst", "engineer", "operator"], keys(local.roles))
}

resource "aws_lakeformation_permissions" "tables" {
  for_each = var.lake_formation ? local.readers : toset([])

  principal   = aws_iam_role.this[each.key].arn
  permissions = ["SELECT", "DESCRIBE"]

  table {
    database_name = var.gold_database
    wildcard      = true
  }
}

resource "aws_lakeformation_permissions" "database" {
  for_each = var.lake_formation ? local.readers : toset([])

  principal   = aws_iam_role.this[each.key].arn
  permissions = ["DESCRIBE"]

  database {
    name = var.gold_database
  }
}
