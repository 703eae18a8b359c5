# The EMR Serverless application that runs Headgate's Spark jobs.

resource "aws_emrserverless_application" "this" {
  name          = var.name_prefix
  type          = "spark"
  release_label = var.release_label
  architecture  = var.architecture
  tags          = var.tags

  maximum_capacity {
    cpu    = "${var.maximum_vcpu} vCPU"
    memory = "${var.maximum_memory_gb} GB"
    disk   = "${var.maximum_disk_gb} GB"
  }

  auto_start_configuration {
    enabled = true
  }

  auto_stop_configuration {
    enabled              = true
    idle_timeout_minutes = var.idle_minutes
  }

  network_configuration {
    subnet_ids         = var.private_subnet_ids
    security_group_ids = [var.security_group_id]
  }

  dynamic "image_configuration" {
    for_each = var.image_uri == null ? [] : [var.image_uri]

    content {
      image_uri = image_configuration.value
    }
  }

  # Warm workers: a job starts in seconds, and they cost money while the application is started.
  dynamic "initial_capacity" {
    for_each = var.warm_workers

    content {
      initial_capacity_type = title(initial_capacity.key)

      initial_capacity_config {
        worker_count = initial_capacity.value.count

        worker_configuration {
          cpu    = "${initial_capacity.value.vcpu} vCPU"
          memory = "${initial_capacity.value.memory_gb} GB"
        }
      }
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/${var.name_prefix}/emr-serverless"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}
