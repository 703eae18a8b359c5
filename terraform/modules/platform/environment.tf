# The environment's file conf/environments/<environment>.yaml, made from the resources, so that no address is typed twice.
# Add a key here when Headgate gets a setting that names a resource. `settings` adds what is no resource: schedules, Spark.

locals {
  manifest_key = "deploy/${var.environment}/manifest.json"

  from_resources = {
    lake = "s3://${module.lake.lake_bucket}"
    receiver = {
      host = "0.0.0.0"
      port = local.receiver_port
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
