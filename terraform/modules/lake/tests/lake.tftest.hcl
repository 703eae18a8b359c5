mock_provider "aws" {}

variables {
  name_prefix         = "headgate-test"
  account_id          = "111111111111"
  region              = "eu-central-1"
  kms_key_arn         = "arn:aws:kms:eu-central-1:111111111111:key/1"
  queue_arn           = "arn:aws:sqs:eu-central-1:111111111111:headgate-test-landing"
  tags                = { Project = "headgate", Environment = "test" }
  trusted_account_ids = ["111111111111"]
  retention_role_arns = ["arn:aws:iam::111111111111:role/headgate-test-operator"]
}

run "policies" {
  command = plan

  assert {
    condition     = toset([for s in local.lake_statements : s.Sid]) == toset(["CreateOnly", "LandedObjectsAreKept", "NoOtherEncryption"])
    error_message = "A statement of the lake bucket is missing."
  }

  assert {
    condition     = [for s in local.lake_statements : s if s.Sid == "CreateOnly"][0].Condition == { Null = { "s3:if-none-match" = "true" }, Bool = { "s3:ObjectCreationOperation" = "true" } }
    error_message = "Writes without If-None-Match are not refused."
  }

  assert {
    condition     = toset([for s in local.lake_statements : s if s.Sid == "CreateOnly"][0].Resource) == toset([for p in local.create_only : "${local.lake_arn}/${p}"])
    error_message = "The output create_only_prefixes does not match the policy."
  }

  assert {
    condition     = [for s in local.lake_statements : s if s.Sid == "LandedObjectsAreKept"][0].Condition.ArnNotLike["aws:PrincipalArn"] == [for arn in var.retention_role_arns : arn]
    error_message = "Others than the retention roles may delete uploads."
  }
}

run "events_and_metrics" {
  command = plan

  assert {
    condition     = one(aws_s3_bucket_notification.landing.queue[*].filter_prefix) == "landing/"
    error_message = "Events come from other objects than uploads."
  }

  assert {
    condition     = one(aws_s3_bucket_notification.landing.queue[*].queue_arn) == var.queue_arn
    error_message = "Events go elsewhere."
  }
}

run "landing_is_not_deleted_early" {
  command = plan

  variables {
    landing_days = 30
  }

  expect_failures = [var.landing_days]
}
