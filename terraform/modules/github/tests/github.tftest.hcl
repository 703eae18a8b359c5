mock_provider "aws" {}

variables {
  lake_bucket_arn      = "arn:aws:s3:::headgate-test-lake-111111111111"
  name_prefix          = "headgate-test"
  account_id           = "111111111111"
  region               = "eu-central-1"
  artifacts_bucket_arn = "arn:aws:s3:::headgate-test-artifacts-111111111111"
  logs_bucket_arn      = "arn:aws:s3:::headgate-test-logs-111111111111"
  kms_key_arn          = "arn:aws:kms:eu-central-1:111111111111:key/1"
  application_arn      = "arn:aws:emr-serverless:eu-central-1:111111111111:/applications/00abc"
  engine_role_arn      = "arn:aws:iam::111111111111:role/headgate-test-engine"
  gold_database        = "headgate_test_gold"
  tags                 = { Project = "headgate", Environment = "test" }
  repository           = "example/headgate"
  environment          = "test"
  state_bucket_arn     = "arn:aws:s3:::headgate-state-111111111111"
  state_key_arn        = "arn:aws:kms:eu-central-1:111111111111:key/2"
}

run "roles_are_bound_to_one_repository" {
  command = plan

  assert {
    condition     = alltrue(flatten([for r in aws_iam_role.this : [for s in flatten([jsondecode(r.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"]]) : startswith(s, "repo:example/headgate:") && !strcontains(s, "*")]]))
    error_message = "Workflows of another repository could take a role."
  }

  assert {
    condition     = jsondecode(aws_iam_role.this["apply"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == ["repo:example/headgate:environment:test"]
    error_message = "Apply does not need an approval."
  }

  assert {
    condition     = aws_iam_role.this["deploy"].permissions_boundary == null
    error_message = "Deploy needs no boundary."
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.this["plan"].policy).Statement : s.Effect if s.Sid == "NoDataAndNoSecrets"] == ["Deny"]
    error_message = "Plan can read data."
  }
}

run "wildcards_are_refused" {
  command = plan

  variables {
    repository = "example/*"
  }

  expect_failures = [var.repository]
}
