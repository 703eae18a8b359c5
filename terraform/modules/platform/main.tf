# The whole platform of one environment. The three environments call this module and differ only by its variables.

locals {
  name_prefix = "headgate-${var.environment}"
  tags = merge(var.tags, {
    Project     = "headgate"
    Environment = var.environment
    Platform    = local.name_prefix
    ManagedBy   = "terraform"
  })
  accounts = distinct(concat([var.account_id], var.trusted_account_ids))
  # The project's queries, by the names of their files.
  query_folder  = "${path.module}/../../../conf/queries"
  saved_queries = { for file in fileset(local.query_folder, "*.sql") : trimsuffix(file, ".sql") => file("${local.query_folder}/${file}") }
  # Names that are needed before the resource exists.
  lake_bucket  = "${local.name_prefix}-lake-${var.account_id}"
  roles_prefix = "arn:${var.partition}:iam::${var.account_id}:role/${local.name_prefix}"
}

module "encryption" {
  source = "../encryption"

  name_prefix = local.name_prefix
  account_id  = var.account_id
  partition   = var.partition
  region      = var.region
  tags        = local.tags
}

module "network" {
  source = "../network"

  name_prefix         = local.name_prefix
  account_id          = var.account_id
  partition           = var.partition
  region              = var.region
  kms_key_arn         = module.encryption.key_arn
  cidr                = var.cidr
  availability_zones  = var.availability_zones
  public_subnets      = !var.internal || var.nat_gateways != "none" || var.transfer != null
  nat_gateways        = var.nat_gateways
  interface_endpoints = setunion(var.interface_endpoints, var.airflow == null ? [] : ["airflow.api", "airflow.env", "airflow.ops"])
  endpoint_zones      = var.endpoint_zones
  allowed_cidrs       = var.allowed_cidrs
  receiver_port       = local.receiver_port
  read_api_port       = local.read_api_port
  trusted_account_ids = local.accounts
  log_retention_days  = var.log_retention_days
  tags                = local.tags
}

module "events" {
  source = "../events"

  name_prefix         = local.name_prefix
  account_id          = var.account_id
  partition           = var.partition
  region              = var.region
  kms_key_arn         = module.encryption.key_arn
  lake_bucket_name    = local.lake_bucket
  alarm_emails        = var.alarm_emails
  notification_emails = var.notification_emails
  tags                = local.tags
}

module "lake" {
  source = "../lake"

  name_prefix          = local.name_prefix
  account_id           = var.account_id
  partition            = var.partition
  region               = var.region
  kms_key_arn          = module.encryption.key_arn
  queue_arn            = module.events.queue_arn
  trusted_account_ids  = local.accounts
  retention_role_arns  = ["${local.roles_prefix}-operator"]
  landing_days         = var.landing_days
  landing_archive_days = var.landing_archive_days
  noncurrent_days      = var.noncurrent_days
  force_destroy        = var.force_destroy
  tags                 = local.tags
}

module "secrets" {
  source = "../secrets"

  name_prefix = local.name_prefix
  account_id  = var.account_id
  kms_key_arn = module.encryption.key_arn
  tags        = local.tags
}

module "emr_serverless" {
  source = "../emr_serverless"

  name_prefix        = local.name_prefix
  kms_key_arn        = module.encryption.key_arn
  private_subnet_ids = module.network.private_subnet_ids
  security_group_id  = module.network.security_group_ids["engine"]
  release_label      = var.release_label
  architecture       = var.architecture
  image_uri          = var.engine_image_uri
  maximum_vcpu       = var.maximum_vcpu
  maximum_memory_gb  = var.maximum_vcpu * 4
  maximum_disk_gb    = var.maximum_vcpu * 20
  warm_workers       = var.warm_workers
  log_retention_days = var.log_retention_days
  tags               = local.tags
}

module "catalog" {
  source = "../catalog"

  name_prefix     = local.name_prefix
  account_id      = var.account_id
  kms_key_arn     = module.encryption.key_arn
  lake_bucket     = module.lake.lake_bucket
  logs_bucket     = module.lake.logs_bucket
  encrypt_catalog = var.encrypt_catalog
  workgroups      = var.workgroups
  queries         = merge(local.saved_queries, var.queries)
  tags            = local.tags
}

module "access" {
  source = "../access"

  name_prefix          = local.name_prefix
  account_id           = var.account_id
  partition            = var.partition
  region               = var.region
  lake_bucket_arn      = module.lake.lake_bucket_arn
  artifacts_bucket_arn = module.lake.artifacts_bucket_arn
  logs_bucket_arn      = module.lake.logs_bucket_arn
  kms_key_arn          = module.encryption.key_arn
  queue_arn            = module.events.queue_arn
  application_arn      = module.emr_serverless.application_arn
  gold_database        = module.catalog.databases["gold"]
  emr_on_ec2           = var.emr_ec2 != null
  tags                 = local.tags
}

module "people" {
  source = "../people"

  name_prefix            = local.name_prefix
  account_id             = var.account_id
  partition              = var.partition
  region                 = var.region
  principals             = var.principals
  require_mfa            = var.require_mfa
  lake_bucket_arn        = module.lake.lake_bucket_arn
  artifacts_bucket_arn   = module.lake.artifacts_bucket_arn
  logs_bucket_arn        = module.lake.logs_bucket_arn
  kms_key_arn            = module.encryption.key_arn
  queue_arn              = module.events.queue_arn
  dead_letter_queue_arn  = module.events.dead_letter_queue_arn
  application_arn        = module.emr_serverless.application_arn
  engine_role_arn        = module.access.role_arns["engine"]
  gold_database          = module.catalog.databases["gold"]
  analysts_workgroup_arn = module.catalog.workgroup_arns["analysts"]
  lake_formation         = var.lake_formation
  tags                   = local.tags
}

module "audit" {
  source = "../audit"

  name_prefix        = local.name_prefix
  account_id         = var.account_id
  partition          = var.partition
  region             = var.region
  logs_bucket        = module.lake.logs_bucket
  lake_bucket_arn    = module.lake.lake_bucket_arn
  kms_key_arn        = module.encryption.key_arn
  alarm_topic_arn    = module.events.topic_arns["alarms"]
  log_retention_days = var.log_retention_days
  tags               = local.tags
}

module "budget" {
  source = "../budget"

  name_prefix       = local.name_prefix
  alarm_topic_arn   = module.events.topic_arns["alarms"]
  monthly_usd       = var.monthly_usd
  anomaly_detection = var.anomaly_detection
  tags              = local.tags
}

module "ecr" {
  source = "../ecr"

  name_prefix = local.name_prefix
  account_id  = var.account_id
  partition   = var.partition
  region      = var.region
  kms_key_arn = module.encryption.key_arn
  tags        = local.tags
}

module "github" {
  source = "../github"
  count  = var.github == null ? 0 : 1

  name_prefix          = local.name_prefix
  account_id           = var.account_id
  partition            = var.partition
  region               = var.region
  environment          = var.environment
  repository           = var.github.repository
  create_provider      = var.github.create_provider
  state_bucket_arn     = var.github.state_bucket_arn
  state_key_arn        = var.github.state_key_arn
  lake_bucket_arn      = module.lake.lake_bucket_arn
  artifacts_bucket_arn = module.lake.artifacts_bucket_arn
  logs_bucket_arn      = module.lake.logs_bucket_arn
  kms_key_arn          = module.encryption.key_arn
  application_arn      = module.emr_serverless.application_arn
  engine_role_arn      = module.access.role_arns["engine"]
  gold_database        = module.catalog.databases["gold"]
  tags                 = local.tags
}
