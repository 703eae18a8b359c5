# Managed Airflow: schedules the runs. DAGs and requirements are files of the artifacts bucket, written by `make schedulers`.

resource "aws_mwaa_environment" "this" {
  name                            = var.name_prefix
  airflow_version                 = var.airflow_version
  environment_class               = var.environment_class
  execution_role_arn              = var.role_arn
  source_bucket_arn               = var.artifacts_bucket_arn
  dag_s3_path                     = "airflow/dags"
  requirements_s3_path            = var.requirements_version == null ? null : "airflow/requirements.txt"
  requirements_s3_object_version  = var.requirements_version
  webserver_access_mode           = var.public_web_server ? "PUBLIC_ONLY" : "PRIVATE_ONLY"
  kms_key                         = var.kms_key_arn
  min_workers                     = var.minimum_workers
  max_workers                     = var.maximum_workers
  schedulers                      = var.schedulers
  weekly_maintenance_window_start = var.maintenance_window
  tags                            = var.tags

  airflow_configuration_options = merge(
    {
      "core.default_timezone"            = "utc"
      "core.load_examples"               = "false"
      "core.dags_are_paused_at_creation" = "false"
      "webserver.expose_config"          = "false"
    },
    var.configuration,
  )

  network_configuration {
    security_group_ids = [var.security_group_id]
    subnet_ids         = slice(var.private_subnet_ids, 0, 2) # MWAA takes exactly two
  }

  logging_configuration {
    dag_processing_logs {
      enabled   = true
      log_level = "WARNING"
    }

    scheduler_logs {
      enabled   = true
      log_level = "WARNING"
    }

    task_logs {
      enabled   = true
      log_level = "INFO"
    }

    webserver_logs {
      enabled   = true
      log_level = "WARNING"
    }

    worker_logs {
      enabled   = true
      log_level = "WARNING"
    }
  }
}
