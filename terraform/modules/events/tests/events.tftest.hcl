mock_provider "aws" {}

variables {
  name_prefix         = "headgate-test"
  account_id          = "111111111111"
  region              = "eu-central-1"
  kms_key_arn         = "arn:aws:kms:eu-central-1:111111111111:key/1"
  tags                = { Project = "headgate", Environment = "test" }
  lake_bucket_name    = "headgate-test-lake-111111111111"
  notification_emails = { "ops@example.com" = ["failure", "recovery"] }
  alarm_emails        = ["ops@example.com"]
}

run "encrypted_with_dead_letters" {
  command = plan

  assert {
    condition     = aws_sqs_queue.landing.kms_master_key_id == var.kms_key_arn && aws_sqs_queue.dead_letters.kms_master_key_id == var.kms_key_arn
    error_message = "A queue is not encrypted."
  }

  assert {
    condition     = aws_sqs_queue.dead_letters.message_retention_seconds == 1209600
    error_message = "Dead letters must be kept for 14 days."
  }

  assert {
    condition     = alltrue([for t in aws_sns_topic.this : t.kms_master_key_id == var.kms_key_arn])
    error_message = "A topic is not encrypted."
  }

  assert {
    condition     = toset(keys(aws_sns_topic.this)) == toset(["notifications", "alarms"])
    error_message = "A topic is missing."
  }
}

run "only_the_lake_bucket_may_send" {
  command = plan

  assert {
    condition     = [for s in jsondecode(aws_sqs_queue_policy.landing.policy).Statement : s.Condition.ArnEquals["aws:SourceArn"] if s.Effect == "Allow"] == ["arn:aws:s3:::headgate-test-lake-111111111111"]
    error_message = "Another sender is allowed."
  }
}

run "addresses_get_the_kinds_they_ask_for" {
  command = plan

  assert {
    condition     = jsondecode(aws_sns_topic_subscription.notifications["ops@example.com"].filter_policy).kind == ["failure", "recovery"]
    error_message = "The filter is wrong."
  }

  assert {
    condition     = length(aws_sns_topic_subscription.alarms) == 1
    error_message = "Nobody receives alarms."
  }
}

run "unknown_kinds_are_refused" {
  command = plan

  variables {
    notification_emails = { "ops@example.com" = ["everything"] }
  }

  expect_failures = [var.notification_emails]
}
