mock_provider "aws" {}

variables {
  name_prefix            = "headgate-test"
  account_id             = "111111111111"
  region                 = "eu-central-1"
  lake_bucket_arn        = "arn:aws:s3:::headgate-test-lake-111111111111"
  artifacts_bucket_arn   = "arn:aws:s3:::headgate-test-artifacts-111111111111"
  logs_bucket_arn        = "arn:aws:s3:::headgate-test-logs-111111111111"
  kms_key_arn            = "arn:aws:kms:eu-central-1:111111111111:key/1"
  queue_arn              = "arn:aws:sqs:eu-central-1:111111111111:headgate-test-landing"
  dead_letter_queue_arn  = "arn:aws:sqs:eu-central-1:111111111111:headgate-test-landing-dead-letters"
  application_arn        = "arn:aws:emr-serverless:eu-central-1:111111111111:/applications/00abc"
  gold_database          = "headgate_test_gold"
  engine_role_arn        = "arn:aws:iam::111111111111:role/headgate-test-engine"
  tags                   = { Project = "headgate", Environment = "test" }
  analysts_workgroup_arn = "arn:aws:athena:eu-central-1:111111111111:workgroup/headgate-test-analysts"
  principals             = { analyst = ["arn:aws:iam::111111111111:role/sso-analyst"], operator = ["arn:aws:iam::111111111111:role/sso-operator"], store = ["arn:aws:iam::111111111111:role/issuer"] }
}

run "roles_exist_for_named_people_only" {
  command = plan

  assert {
    condition     = toset(keys(aws_iam_role.this)) == toset(["analyst", "operator", "store"])
    error_message = "A role exists that nobody may take."
  }

  assert {
    condition     = jsondecode(aws_iam_role.this["operator"].assume_role_policy).Statement[0].Condition.Bool["aws:MultiFactorAuthPresent"] == "true"
    error_message = "No second factor is needed."
  }

  assert {
    condition     = contains(jsondecode(aws_iam_role.this["store"].assume_role_policy).Statement[0].Action, "sts:TagSession")
    error_message = "A store has no name."
  }

  assert {
    condition     = strcontains(aws_iam_role_policy.this["store"].policy, "$${aws:PrincipalTag/store}")
    error_message = "A store is not limited to its own uploads."
  }

  assert {
    condition     = length(aws_lakeformation_permissions.tables) == 0
    error_message = "Lake Formation is used without being asked for."
  }
}

run "lake_formation" {
  command = plan

  variables {
    lake_formation = true
  }

  assert {
    condition     = toset(keys(aws_lakeformation_permissions.tables)) == toset(["analyst", "operator"])
    error_message = "A role that exists has no grant, or a store has one."
  }

  assert {
    condition     = alltrue([for grant in aws_lakeformation_permissions.tables : toset(grant.permissions) == toset(["SELECT", "DESCRIBE"])])
    error_message = "People may change tables."
  }
}

run "nobody_is_everybody" {
  command = plan

  variables {
    principals = { analyst = ["*"] }
  }

  expect_failures = [var.principals]
}
