mock_provider "aws" {}

variables {
  name_prefix = "headgate-test"
  account_id  = "111111111111"
  kms_key_arn = "arn:aws:kms:eu-central-1:111111111111:key/1"
  tags        = { Project = "headgate", Environment = "test" }
  lake_bucket = "headgate-test-lake-111111111111"
  logs_bucket = "headgate-test-logs-111111111111"
  queries     = { daily_sales = "-- One.\nSELECT 1" }
}

run "limited_and_encrypted" {
  command = plan

  assert {
    condition     = aws_glue_catalog_database.this["gold"].name == "headgate_test_gold"
    error_message = "The database has another name."
  }

  assert {
    condition     = alltrue([for w in aws_athena_workgroup.this : w.configuration[0].enforce_workgroup_configuration])
    error_message = "Clients could change the result location."
  }

  assert {
    condition     = alltrue([for w in aws_athena_workgroup.this : w.configuration[0].bytes_scanned_cutoff_per_query > 0])
    error_message = "A query can scan without limit."
  }

  assert {
    condition     = alltrue([for w in aws_athena_workgroup.this : w.configuration[0].result_configuration[0].encryption_configuration[0].encryption_option == "SSE_KMS"])
    error_message = "Results are not encrypted."
  }

  assert {
    condition     = endswith(aws_athena_named_query.this["daily_sales"].query, "SELECT 1") && aws_athena_named_query.this["daily_sales"].description == "One."
    error_message = "The named query is missing, or has another description."
  }

  assert {
    condition     = length(aws_glue_data_catalog_encryption_settings.this) == 1
    error_message = "The catalog is not encrypted."
  }
}

run "gold_is_needed" {
  command = plan

  variables {
    databases = {}
  }

  expect_failures = [var.databases]
}
