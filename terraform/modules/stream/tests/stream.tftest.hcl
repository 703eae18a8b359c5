mock_provider "aws" {}

variables {
  name_prefix     = "headgate-test"
  account_id      = "111111111111"
  lake_bucket_arn = "arn:aws:s3:::headgate-test-lake-111111111111"
  kms_key_arn     = "arn:aws:kms:eu-central-1:111111111111:key/1"
  tags            = { Project = "headgate", Environment = "test" }
  dataset         = "transactions"
}

run "encrypted_and_limited_to_the_inbox" {
  command = plan

  assert {
    condition     = aws_kinesis_stream.this.encryption_type == "KMS"
    error_message = "The stream is not encrypted."
  }

  assert {
    condition     = startswith(one(aws_kinesis_firehose_delivery_stream.this.extended_s3_configuration[*].prefix), "inbox/transactions/")
    error_message = "Files arrive elsewhere."
  }
}

run "dataset_names_are_checked" {
  command = plan

  variables {
    dataset = "Trans Actions"
  }

  expect_failures = [var.dataset]
}
