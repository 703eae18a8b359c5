# One role per component. Policies are JSON files in policies/, so that a test can evaluate them without AWS;
# reviewed.yaml gives the reason for every statement.

locals {
  values = {
    partition       = var.partition
    region          = var.region
    account_id      = var.account_id
    name_prefix     = var.name_prefix
    lake_arn        = var.lake_bucket_arn
    artifacts_arn   = var.artifacts_bucket_arn
    logs_arn        = var.logs_bucket_arn
    kms_key_arn     = var.kms_key_arn
    queue_arn       = var.queue_arn
    application_arn = var.application_arn
    gold_database   = var.gold_database
    engine_role_arn = "arn:${var.partition}:iam::${var.account_id}:role/${var.name_prefix}-engine"
    secrets_arn     = "arn:${var.partition}:secretsmanager:${var.region}:${var.account_id}:secret:${var.name_prefix}"
    topics_arn      = "arn:${var.partition}:sns:${var.region}:${var.account_id}:${var.name_prefix}"
  }

  # component = the file in trust/ with the principals that may take the role
  components = {
    receiver      = "ecs_tasks"
    read_api      = "ecs_tasks"
    task_start    = "ecs_tasks"
    engine        = var.emr_on_ec2 ? "engine_with_ec2" : "engine"
    orchestration = "airflow"
    trigger       = "lambda"
  }
}

resource "aws_iam_role" "this" {
  for_each = local.components

  name                 = "${var.name_prefix}-${replace(each.key, "_", "-")}"
  description          = "Headgate component: ${replace(each.key, "_", " ")}"
  assume_role_policy   = templatefile("${path.module}/trust/${each.value}.json", local.values)
  permissions_boundary = var.permissions_boundary_arn
  max_session_duration = 3600
  tags                 = merge(var.tags, { Component = each.key })
}

resource "aws_iam_role_policy" "this" {
  for_each = local.components

  name   = each.key
  role   = aws_iam_role.this[each.key].id
  policy = templatefile("${path.module}/policies/${each.key}.json", local.values)
}

# EMR on EC2 needs a service role with AWS's managed policy, which is limited to resources with EMR's tag.
resource "aws_iam_role" "emr_service" {
  count = var.emr_on_ec2 ? 1 : 0

  name                 = "${var.name_prefix}-emr-service"
  description          = "EMR on EC2: starts and stops nodes"
  assume_role_policy   = templatefile("${path.module}/trust/emr_service.json", local.values)
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy_attachment" "emr_service" {
  count = var.emr_on_ec2 ? 1 : 0

  role       = aws_iam_role.emr_service[0].name
  policy_arn = "arn:${var.partition}:iam::aws:policy/service-role/AmazonEMRServicePolicy_v2"
}

resource "aws_iam_role_policy" "emr_service" {
  count = var.emr_on_ec2 ? 1 : 0

  name   = "pass-engine-role"
  role   = aws_iam_role.emr_service[0].id
  policy = templatefile("${path.module}/policies/emr_service.json", local.values)
}
