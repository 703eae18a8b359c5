# Automatic runs: MWAA by schedule and on arrival, or a Lambda function on arrival where there is no Airflow.

module "mwaa" {
  source = "../mwaa"
  count  = var.airflow == null ? 0 : 1

  name_prefix          = local.name_prefix
  artifacts_bucket_arn = module.lake.artifacts_bucket_arn
  kms_key_arn          = module.encryption.key_arn
  role_arn             = module.access.role_arns["orchestration"]
  private_subnet_ids   = module.network.private_subnet_ids
  security_group_id    = module.network.security_group_ids["airflow"]
  airflow_version      = var.airflow.version
  environment_class    = var.airflow.class
  schedulers           = var.airflow.schedulers
  maximum_workers      = var.airflow.maximum_workers
  requirements_version = var.airflow.requirements_version
  tags                 = local.tags
}

module "trigger" {
  source = "../trigger"
  count  = var.trigger_package_version == null ? 0 : 1

  name_prefix        = local.name_prefix
  kms_key_arn        = module.encryption.key_arn
  role_arn           = module.access.role_arns["trigger"]
  queue_arn          = module.events.queue_arn
  artifacts_bucket   = module.lake.artifacts_bucket
  package_version    = var.trigger_package_version
  private_subnet_ids = module.network.private_subnet_ids
  security_group_id  = module.network.security_group_ids["trigger"]
  environment        = { HEADGATE_CURRENT = "s3://${module.lake.artifacts_bucket}/${local.current_key}" }
  log_retention_days = var.log_retention_days
  tags               = local.tags
}

module "emr_ec2" {
  source = "../emr_ec2"
  count  = var.emr_ec2 == null ? 0 : 1

  name_prefix        = local.name_prefix
  kms_key_arn        = module.encryption.key_arn
  vpc_id             = module.network.vpc_id
  private_subnet_ids = module.network.private_subnet_ids
  security_group_id  = module.network.security_group_ids["engine"]
  release_label      = var.release_label
  logs_bucket        = module.lake.logs_bucket
  service_role_arn   = module.access.emr_service_role_arn
  instance_role_name = module.access.role_names["engine"]
  core_spot          = var.emr_ec2.core_spot
  maximum_units      = var.emr_ec2.maximum_nodes
  tags               = local.tags
}

module "monitoring" {
  source = "../monitoring"

  name_prefix            = local.name_prefix
  region                 = var.region
  alarm_topic_arn        = module.events.topic_arns["alarms"]
  queue_name             = module.events.queue_name
  dead_letter_queue_name = module.events.dead_letter_queue_name
  application_id         = module.emr_serverless.application_id
  maximum_vcpu           = var.maximum_vcpu
  load_balancer          = one(module.edge[*].load_balancer_arn_suffix)
  services = {
    for name, service in module.service : name => {
      target_group = service.target_group_arn_suffix
      slow_seconds = local.services[name].slow_seconds
    }
  }
  expect_uploads        = var.expect_uploads
  trigger_function_name = one(module.trigger[*].function_name)
  airflow_name          = one(module.mwaa[*].name)
  tags                  = local.tags
}
