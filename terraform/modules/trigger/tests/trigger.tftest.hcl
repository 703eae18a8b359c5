mock_provider "aws" {}

variables {
  name_prefix        = "headgate-test"
  kms_key_arn        = "arn:aws:kms:eu-central-1:111111111111:key/1"
  role_arn           = "arn:aws:iam::111111111111:role/headgate-test-x"
  queue_arn          = "arn:aws:sqs:eu-central-1:111111111111:headgate-test-landing"
  private_subnet_ids = ["subnet-a", "subnet-b"]
  security_group_id  = "sg-1"
  tags               = { Project = "headgate", Environment = "test" }
  artifacts_bucket   = "headgate-test-artifacts-111111111111"
  environment        = { HEADGATE_CURRENT = "s3://b/current.json" }
}

run "bursts_become_one_call" {
  command = plan

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == 1
    error_message = "Calls overlap: a burst starts several runs."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.landing.batch_size == 10000 && aws_lambda_event_source_mapping.landing.maximum_batching_window_in_seconds == 20
    error_message = "Events are not collected."
  }

  assert {
    condition     = toset(aws_lambda_event_source_mapping.landing.function_response_types) == toset(["ReportBatchItemFailures"])
    error_message = "One bad event repeats all."
  }

  assert {
    condition     = aws_lambda_function.this.kms_key_arn == var.kms_key_arn
    error_message = "Variables are not encrypted."
  }
}

run "timeouts_are_bounded" {
  command = plan

  variables {
    timeout_seconds = 1000
  }

  expect_failures = [var.timeout_seconds]
}
