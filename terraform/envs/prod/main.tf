# Written by terraform/generate.py: the same in every environment. Change terraform.tfvars, or modules/platform.

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Project = "headgate", Environment = var.environment, ManagedBy = "terraform" }
  }
}

module "platform" {
  source = "../../modules/platform"

  account_id              = var.account_id
  partition               = var.partition
  region                  = var.region
  log_retention_days      = var.log_retention_days
  tags                    = var.tags
  environment             = var.environment
  trusted_account_ids     = var.trusted_account_ids
  settings                = var.settings
  cidr                    = var.cidr
  availability_zones      = var.availability_zones
  nat_gateways            = var.nat_gateways
  interface_endpoints     = var.interface_endpoints
  endpoint_zones          = var.endpoint_zones
  allowed_cidrs           = var.allowed_cidrs
  certificate_arn         = var.certificate_arn
  internal                = var.internal
  receiver_image_uri      = var.receiver_image_uri
  read_api_image_uri      = var.read_api_image_uri
  service_tasks           = var.service_tasks
  service_ec2             = var.service_ec2
  release_label           = var.release_label
  architecture            = var.architecture
  engine_image_uri        = var.engine_image_uri
  maximum_vcpu            = var.maximum_vcpu
  warm_workers            = var.warm_workers
  emr_ec2                 = var.emr_ec2
  airflow                 = var.airflow
  trigger_package_version = var.trigger_package_version
  landing_days            = var.landing_days
  landing_archive_days    = var.landing_archive_days
  noncurrent_days         = var.noncurrent_days
  force_destroy           = var.force_destroy
  encrypt_catalog         = var.encrypt_catalog
  workgroups              = var.workgroups
  queries                 = var.queries
  principals              = var.principals
  require_mfa             = var.require_mfa
  lake_formation          = var.lake_formation
  alarm_emails            = var.alarm_emails
  notification_emails     = var.notification_emails
  expect_uploads          = var.expect_uploads
  monthly_usd             = var.monthly_usd
  anomaly_detection       = var.anomaly_detection
  github                  = var.github
  quicksight_user_arns    = var.quicksight_user_arns
  stream_dataset          = var.stream_dataset
  transfer                = var.transfer
  redshift                = var.redshift
}
