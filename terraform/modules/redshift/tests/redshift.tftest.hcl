mock_provider "aws" {}

variables {
  name_prefix        = "headgate-test"
  account_id         = "111111111111"
  region             = "eu-central-1"
  lake_bucket_arn    = "arn:aws:s3:::headgate-test-lake-111111111111"
  kms_key_arn        = "arn:aws:kms:eu-central-1:111111111111:key/1"
  private_subnet_ids = ["subnet-a", "subnet-b"]
  security_group_id  = "sg-1"
  gold_database      = "headgate_test_gold"
  tags               = { Project = "headgate", Environment = "test" }
}

run "private_and_bounded" {
  command = plan

  assert {
    condition     = !aws_redshiftserverless_workgroup.this.publicly_accessible
    error_message = "The warehouse is public."
  }

  assert {
    condition     = aws_redshiftserverless_usage_limit.this.breach_action == "deactivate"
    error_message = "The cost has no limit."
  }

  assert {
    condition     = aws_redshiftserverless_namespace.this.manage_admin_password
    error_message = "A password would be in the state."
  }

  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.this.policy).Statement : s.Resource if s.Sid == "ReadGold"] == ["arn:aws:s3:::headgate-test-lake-111111111111/gold/*"]
    error_message = "The warehouse can read more than gold."
  }
}
