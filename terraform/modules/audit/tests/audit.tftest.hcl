mock_provider "aws" {}

variables {
  name_prefix     = "headgate-test"
  account_id      = "111111111111"
  region          = "eu-central-1"
  lake_bucket_arn = "arn:aws:s3:::headgate-test-lake-111111111111"
  kms_key_arn     = "arn:aws:kms:eu-central-1:111111111111:key/1"
  alarm_topic_arn = "arn:aws:sns:eu-central-1:111111111111:headgate-test-alarms"
  tags            = { Project = "headgate", Environment = "test" }
  logs_bucket     = "headgate-test-logs-111111111111"
}

run "complete_and_protected" {
  command = plan

  assert {
    condition     = aws_cloudtrail.this.is_multi_region_trail && aws_cloudtrail.this.enable_log_file_validation && aws_cloudtrail.this.include_global_service_events
    error_message = "The trail is incomplete."
  }

  assert {
    condition     = aws_cloudtrail.this.kms_key_id == var.kms_key_arn
    error_message = "The trail is not encrypted."
  }

  assert {
    condition     = toset([for s in aws_cloudtrail.this.advanced_event_selector : s.name]) == toset(["management", "landing-reads", "lake-writes"])
    error_message = "Data events are missing."
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.this)) == toset(["root-login", "trail-changed", "key-disabled", "bucket-policy", "upload-deleted", "unauthorized-api"])
    error_message = "An audit alarm is missing."
  }

  assert {
    condition     = alltrue([for a in aws_cloudwatch_metric_alarm.this : a.alarm_actions == toset([var.alarm_topic_arn])])
    error_message = "An alarm reaches nobody."
  }
}
