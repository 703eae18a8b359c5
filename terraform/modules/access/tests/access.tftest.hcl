mock_provider "aws" {}

variables {
  name_prefix          = "headgate-test"
  account_id           = "111111111111"
  region               = "eu-central-1"
  lake_bucket_arn      = "arn:aws:s3:::headgate-test-lake-111111111111"
  artifacts_bucket_arn = "arn:aws:s3:::headgate-test-artifacts-111111111111"
  logs_bucket_arn      = "arn:aws:s3:::headgate-test-logs-111111111111"
  kms_key_arn          = "arn:aws:kms:eu-central-1:111111111111:key/1"
  queue_arn            = "arn:aws:sqs:eu-central-1:111111111111:headgate-test-landing"
  application_arn      = "arn:aws:emr-serverless:eu-central-1:111111111111:/applications/00abc"
  gold_database        = "headgate_test_gold"
  tags                 = { Project = "headgate", Environment = "test" }
}

run "one_role_per_component" {
  command = plan

  assert {
    condition     = toset(keys(aws_iam_role.this)) == toset(["receiver", "read_api", "task_start", "engine", "orchestration", "trigger"])
    error_message = "A component has no role."
  }

  assert {
    condition     = alltrue([for p in aws_iam_role_policy.this : can(jsondecode(p.policy).Statement[0].Sid)])
    error_message = "A policy is not JSON."
  }

  assert {
    condition     = alltrue([for r in aws_iam_role.this : can(jsondecode(r.assume_role_policy).Statement[0].Principal.Service)])
    error_message = "A role can be taken by others than a service."
  }

  assert {
    condition     = !anytrue(flatten([for p in aws_iam_role_policy.this : [for s in jsondecode(p.policy).Statement : [for a in flatten([s.Action]) : a == "*" || endswith(a, ":*")]]]))
    error_message = "A policy allows all actions of a service."
  }

  assert {
    condition     = length(aws_iam_role.emr_service) == 0
    error_message = "EMR on EC2 has a role although it is not used."
  }
}

run "emr_on_ec2" {
  command = plan

  variables {
    emr_on_ec2 = true
  }

  assert {
    condition     = length(aws_iam_role.emr_service) == 1
    error_message = "The service role is missing."
  }

  assert {
    condition     = length(jsondecode(aws_iam_role.this["engine"].assume_role_policy).Statement) == 2
    error_message = "Nodes cannot take the engine role."
  }
}
