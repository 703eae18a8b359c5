# Modules that a platform can do without. Each is off unless its variable is set.

module "quicksight" {
  source = "../quicksight"
  count  = var.quicksight_user_arns == null ? 0 : 1

  name_prefix = local.name_prefix
  account_id  = var.account_id
  workgroup   = module.catalog.workgroups["analysts"]
  user_arns   = var.quicksight_user_arns
  tags        = local.tags
}

module "stream" {
  source   = "../stream"
  for_each = toset(var.stream_dataset == null ? [] : [var.stream_dataset])

  name_prefix        = local.name_prefix
  account_id         = var.account_id
  lake_bucket_arn    = module.lake.lake_bucket_arn
  kms_key_arn        = module.encryption.key_arn
  dataset            = each.key
  log_retention_days = var.log_retention_days
  tags               = local.tags
}

module "transfer" {
  source = "../transfer"
  count  = var.transfer == null ? 0 : 1

  name_prefix        = local.name_prefix
  account_id         = var.account_id
  lake_bucket        = module.lake.lake_bucket
  lake_bucket_arn    = module.lake.lake_bucket_arn
  kms_key_arn        = module.encryption.key_arn
  vpc_id             = module.network.vpc_id
  subnet_ids         = module.network.public_subnet_ids
  allowed_cidrs      = var.transfer.allowed_cidrs
  stores             = var.transfer.stores
  log_retention_days = var.log_retention_days
  tags               = local.tags
}

module "redshift" {
  source = "../redshift"
  count  = var.redshift ? 1 : 0

  name_prefix        = local.name_prefix
  account_id         = var.account_id
  partition          = var.partition
  region             = var.region
  lake_bucket_arn    = module.lake.lake_bucket_arn
  kms_key_arn        = module.encryption.key_arn
  private_subnet_ids = module.network.private_subnet_ids
  security_group_id  = module.network.security_group_ids["warehouse"]
  gold_database      = module.catalog.databases["gold"]
  tags               = local.tags
}
