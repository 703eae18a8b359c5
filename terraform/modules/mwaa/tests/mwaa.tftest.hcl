mock_provider "aws" {}

variables {
  name_prefix          = "headgate-test"
  artifacts_bucket_arn = "arn:aws:s3:::headgate-test-artifacts-111111111111"
  kms_key_arn          = "arn:aws:kms:eu-central-1:111111111111:key/1"
  role_arn             = "arn:aws:iam::111111111111:role/headgate-test-x"
  private_subnet_ids   = ["subnet-a", "subnet-b"]
  security_group_id    = "sg-1"
  tags                 = { Project = "headgate", Environment = "test" }
}

run "private_and_logged" {
  command = plan

  assert {
    condition     = aws_mwaa_environment.this.webserver_access_mode == "PRIVATE_ONLY"
    error_message = "The web server is public."
  }

  assert {
    condition     = aws_mwaa_environment.this.kms_key == var.kms_key_arn
    error_message = "Airflow is not encrypted."
  }

  assert {
    condition     = one(aws_mwaa_environment.this.logging_configuration[0].task_logs[*].enabled) && one(aws_mwaa_environment.this.logging_configuration[0].scheduler_logs[*].enabled)
    error_message = "Logs are off."
  }
}

run "airflow_2_is_refused" {
  command = plan

  variables {
    airflow_version = "2.10.3"
  }

  expect_failures = [var.airflow_version]
}
