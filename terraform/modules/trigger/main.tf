# On arrival without Airflow: a Lambda function turns a burst of landing events into one job run.

resource "aws_cloudwatch_log_group" "this" {
  name              = "/${var.name_prefix}/trigger"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_lambda_function" "this" {
  function_name                  = "${var.name_prefix}-trigger"
  description                    = "Starts a Headgate run when uploads arrive"
  role                           = var.role_arn
  runtime                        = "python3.13"
  architectures                  = ["arm64"]
  handler                        = var.handler
  s3_bucket                      = var.artifacts_bucket
  s3_key                         = var.package_key
  s3_object_version              = var.package_version
  memory_size                    = 256
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = 1 # one batch of events at a time, so that a burst starts one run
  kms_key_arn                    = var.kms_key_arn
  tags                           = var.tags

  environment {
    variables = var.environment
  }

  vpc_config {
    subnet_ids         = var.private_subnet_ids
    security_group_ids = [var.security_group_id]
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  tracing_config {
    mode = "PassThrough"
  }
}

resource "aws_lambda_event_source_mapping" "landing" {
  event_source_arn                   = var.queue_arn
  function_name                      = aws_lambda_function.this.arn
  batch_size                         = 10000
  maximum_batching_window_in_seconds = var.batching_seconds
  function_response_types            = ["ReportBatchItemFailures"]
  tags                               = var.tags
}
