mock_provider "aws" {}

variables {
  name_prefix        = "headgate-test"
  kms_key_arn        = "arn:aws:kms:eu-central-1:111111111111:key/1"
  vpc_id             = "vpc-1"
  private_subnet_ids = ["subnet-a", "subnet-b"]
  security_group_id  = "sg-1"
  tags               = { Project = "headgate", Environment = "test" }
  logs_bucket        = "headgate-test-logs-111111111111"
  service_role_arn   = "arn:aws:iam::111111111111:role/headgate-test-emr-service"
  instance_role_name = "headgate-test-engine"
}

run "encrypted_private_and_ends_by_itself" {
  command = plan

  assert {
    condition     = jsondecode(aws_emr_security_configuration.this.configuration).EncryptionConfiguration.EnableAtRestEncryption
    error_message = "Disks are not encrypted."
  }

  assert {
    condition     = jsondecode(aws_emr_security_configuration.this.configuration).InstanceMetadataServiceConfiguration.MinimumInstanceMetadataServiceVersion == 2
    error_message = "IMDSv1 is possible."
  }

  assert {
    condition     = one(aws_emr_cluster.this.auto_termination_policy[*].idle_timeout) == 3600
    error_message = "An idle cluster does not end."
  }

  assert {
    condition     = one(aws_emr_managed_scaling_policy.this.compute_limits[*].maximum_capacity_units) == 8
    error_message = "Scaling has no limit."
  }

  assert {
    condition     = aws_emr_cluster.this.log_encryption_kms_key_id == var.kms_key_arn
    error_message = "Logs are not encrypted."
  }
}

run "a_role_arn_is_refused" {
  command = plan

  variables {
    instance_role_name = "arn:aws:iam::111111111111:role/x"
  }

  expect_failures = [var.instance_role_name]
}
