# The receiver and the read API. Each exists once its image is known, so a new account is built in two applies.

locals {
  receiver_port = 8080
  read_api_port = 8081

  service_environment = {
    AWS_REGION         = var.region
    AWS_DEFAULT_REGION = var.region # boto3 reads no other variable
    HEADGATE_ENV       = var.environment
    HEADGATE_LOG       = "json"
    HEADGATE_LAKE      = "s3://${module.lake.lake_bucket}"
  }

  services = {
    for name, service in {
      receiver = {
        image_uri     = var.receiver_image_uri
        role          = "receiver"
        port          = local.receiver_port
        secrets       = {}
        path_patterns = ["/v1/uploads*", "/v1/datasets*", "/v1/openapi.json", "/readyz"] # a rule takes five
        priority      = 100
        slow_seconds  = 2
      }
      read-api = {
        image_uri     = var.read_api_image_uri
        role          = "read_api"
        port          = local.read_api_port
        secrets       = { HEADGATE_CURSOR_SECRET = module.secrets.arns["cursor-key"] }
        path_patterns = ["/v1/tables", "/v1/tables/*"]
        priority      = 200
        slow_seconds  = 1
      }
    } : name => service if service.image_uri != null
  }
}

module "edge" {
  source = "../edge"
  count  = var.certificate_arn == null ? 0 : 1

  name_prefix         = local.name_prefix
  partition           = var.partition
  kms_key_arn         = module.encryption.key_arn
  certificate_arn     = var.certificate_arn
  internal            = var.internal
  subnet_ids          = var.internal ? module.network.private_subnet_ids : module.network.public_subnet_ids
  security_group_id   = module.network.security_group_ids["load_balancer"]
  access_logs_bucket  = module.lake.access_logs_bucket
  deletion_protection = !var.force_destroy
  log_retention_days  = var.log_retention_days
  tags                = local.tags

  ec2 = var.service_ec2 == null ? null : {
    image_id           = var.service_ec2.image_id
    instance_type      = var.service_ec2.instance_type
    minimum            = var.service_ec2.minimum
    maximum            = var.service_ec2.maximum
    subnet_ids         = module.network.private_subnet_ids
    security_group_ids = [module.network.security_group_ids["receiver"]]
  }
}

module "service" {
  source   = "../service"
  for_each = var.certificate_arn == null ? {} : local.services

  name_prefix        = local.name_prefix
  name               = each.key
  region             = var.region
  kms_key_arn        = module.encryption.key_arn
  image_uri          = each.value.image_uri
  architecture       = var.architecture
  port               = each.value.port
  path_patterns      = each.value.path_patterns
  priority           = each.value.priority
  minimum            = var.service_tasks.minimum
  maximum            = var.service_tasks.maximum
  environment        = local.service_environment
  secrets            = each.value.secrets
  vpc_id             = module.network.vpc_id
  private_subnet_ids = module.network.private_subnet_ids
  security_group_id  = module.network.security_group_ids[each.value.role]
  start_role_arn     = module.access.role_arns["task_start"]
  task_role_arn      = module.access.role_arns[each.value.role]
  listener_arn       = module.edge[0].listener_arn
  cluster_arn        = module.edge[0].cluster_arn
  cluster_name       = module.edge[0].cluster_name
  capacity_provider  = module.edge[0].ec2_capacity_provider
  log_retention_days = var.log_retention_days
  tags               = local.tags
}
