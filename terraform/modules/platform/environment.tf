# The environment's file conf/environments/<environment>.yaml, made from the resources, so that no address is typed twice.
# Add a key here when Headgate gets a setting that names a resource. `settings` adds other keys: schedules, Spark.

locals {
  artifacts_prefix = "headgate"
  current_key      = "${local.artifacts_prefix}/${var.environment}/current.json" # names the deployed package

  from_resources = {
    lake   = "s3://${module.lake.lake_bucket}"
    engine = "emr"
    emr = {
      kind           = "serverless"
      region         = var.region
      application_id = module.emr_serverless.application_id
      execution_role = module.access.role_arns["engine"]
      artifacts      = "s3://${module.lake.artifacts_bucket}/${local.artifacts_prefix}"
      logs           = "s3://${module.lake.logs_bucket}/emr"
      release        = module.emr_serverless.release_label
      architecture   = lower(module.emr_serverless.architecture)
    }
    catalog = {
      database  = module.catalog.databases["gold"]
      workgroup = module.catalog.workgroups["analysts"]
    }
    receiver = {
      host     = "0.0.0.0"
      port     = local.receiver_port
      key_file = "secretsmanager:${module.secrets.names["store-keys"]}"
    }
    read_api = {
      host      = "0.0.0.0"
      port      = local.read_api_port
      keys_file = "secretsmanager:${module.secrets.names["read-keys"]}"
    }
    automation = {
      topic_arn             = module.events.topic_arns["notifications"]
      queue_url             = module.events.queue_url
      dead_letter_queue_url = module.events.dead_letter_queue_url
    }
  }

  # Objects are merged by key; a resource's key wins over one in `settings`.
  environment = merge(var.settings, {
    for key, value in local.from_resources : key => try(merge(try(var.settings[key], {}), value), value)
  })
}

output "environment_yaml" {
  description = "Content of conf/environments/<environment>.yaml: terraform output -raw environment_yaml"
  value       = "# Written by `make environment`: change terraform/envs/${var.environment}, not this file.\n${yamlencode(local.environment)}"
}
