# The buckets of one environment: lake (landing, bronze, silver, gold), artifacts, logs, and access logs.

locals {
  bucket_names = {
    for purpose in ["lake", "artifacts", "logs", "access-logs"] : purpose => "${var.name_prefix}-${purpose}-${var.account_id}"
  }
  lake_arn   = "arn:${var.partition}:s3:::${local.bucket_names["lake"]}"
  logs_arn   = "arn:${var.partition}:s3:::${local.bucket_names["logs"]}"
  access_arn = "arn:${var.partition}:s3:::${local.bucket_names["access-logs"]}"
  # S3 paths, relative to the bucket, below which an object may only ever be created, not replaced.
  create_only = ["landing/*", "late/*", "claims/*", "*/_delta_log/*.json"]

  lake_statements = jsondecode(templatefile("${path.module}/policies/lake_bucket.json", {
    lake_arn = local.lake_arn
    # A policy needs at least one principal pattern; this one matches no role where retention is not enabled.
    retention_role_arns = jsonencode(coalescelist(var.retention_role_arns, ["arn:${var.partition}:iam::${var.account_id}:role/none"]))
  })).Statement
}

module "access_logs" {
  source = "../bucket"

  name                = local.bucket_names["access-logs"]
  kms_key_arn         = null # log delivery supports SSE-S3 only
  noncurrent_days     = 7
  trusted_account_ids = var.trusted_account_ids
  force_destroy       = var.force_destroy
  tags                = merge(var.tags, { Purpose = "access-logs" })

  lifecycle_rules = {
    expire = { prefix = "", expire_days = var.access_log_days }
  }

  policy_statements = jsondecode(templatefile("${path.module}/policies/access_logs_bucket.json", {
    access_logs_arn = local.access_arn
    account_id      = var.account_id
    partition       = var.partition
  })).Statement
}

module "lake" {
  source = "../bucket"

  name                = local.bucket_names["lake"]
  kms_key_arn         = var.kms_key_arn
  access_logs         = { bucket = module.access_logs.name }
  noncurrent_days     = var.noncurrent_days
  trusted_account_ids = var.trusted_account_ids
  force_destroy       = var.force_destroy
  policy_statements   = local.lake_statements
  tags                = merge(var.tags, { Purpose = "lake" })

  lifecycle_rules = merge(
    {
      landing = {
        prefix      = "landing/"
        expire_days = var.landing_days
        transitions = [{ days = var.landing_archive_days, storage_class = "GLACIER_IR" }]
      }
      markers = { prefix = "late/", expire_days = 90 }
      probes  = { prefix = "health/", expire_days = 1 }
      runs    = { prefix = "runs/", expire_days = var.run_report_days }
      sandbox = { prefix = "sandbox/", expire_days = 7 }
      resumed = { prefix = "incoming/", expire_days = 7 } # uploads under way; receivers keep them for receiver.resume_hours
    },
    # Claims decide the identity of an upload for as long as its landed object exists, so both have the same age limit.
    var.landing_days == null ? {} : { claims = { prefix = "claims/", expire_days = var.landing_days } },
  )
}

module "artifacts" {
  source = "../bucket"

  name                = local.bucket_names["artifacts"]
  kms_key_arn         = var.kms_key_arn
  access_logs         = { bucket = module.access_logs.name }
  noncurrent_days     = 90
  trusted_account_ids = var.trusted_account_ids
  force_destroy       = var.force_destroy
  tags                = merge(var.tags, { Purpose = "artifacts" })
}

module "logs" {
  source = "../bucket"

  name                = local.bucket_names["logs"]
  kms_key_arn         = var.kms_key_arn
  access_logs         = { bucket = module.access_logs.name }
  noncurrent_days     = 7
  trusted_account_ids = var.trusted_account_ids
  force_destroy       = var.force_destroy
  tags                = merge(var.tags, { Purpose = "logs" })

  lifecycle_rules = {
    emr       = { prefix = "emr/", expire_days = var.job_log_days }
    athena    = { prefix = "athena/", expire_days = 30 }
    audit     = { prefix = "audit/", expire_days = var.audit_days, transitions = [{ days = 90, storage_class = "GLACIER_IR" }] }
    inventory = { prefix = "inventory/", expire_days = 30 }
  }

  policy_statements = jsondecode(templatefile("${path.module}/policies/logs_bucket.json", {
    logs_arn   = local.logs_arn
    account_id = var.account_id
    partition  = var.partition
    region     = var.region
  })).Statement
}

resource "aws_s3_bucket_notification" "landing" {
  bucket = module.lake.name

  queue {
    id            = "landing-created"
    queue_arn     = var.queue_arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "landing/"
  }
}

resource "aws_s3_bucket_metric" "lake" {
  for_each = toset(["landing", "bronze", "silver", "gold"])

  bucket = module.lake.name
  name   = each.key

  filter {
    prefix = "${each.key}/"
  }
}
