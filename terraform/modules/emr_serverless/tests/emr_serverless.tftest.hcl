mock_provider "aws" {}

variables {
  name_prefix        = "headgate-test"
  kms_key_arn        = "arn:aws:kms:eu-central-1:111111111111:key/1"
  private_subnet_ids = ["subnet-a", "subnet-b"]
  security_group_id  = "sg-1"
  tags               = { Project = "headgate", Environment = "test" }
}

run "bounded_and_private" {
  command = plan

  assert {
    condition     = one(aws_emrserverless_application.this.maximum_capacity[*].cpu) == "32 vCPU"
    error_message = "The capacity has no limit."
  }

  assert {
    condition     = one(aws_emrserverless_application.this.auto_stop_configuration[*].enabled)
    error_message = "An idle application does not stop."
  }

  assert {
    condition     = one(aws_emrserverless_application.this.network_configuration[*].subnet_ids) == toset(["subnet-a", "subnet-b"])
    error_message = "Jobs do not run in the private subnets."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn && aws_cloudwatch_log_group.this.retention_in_days == 365
    error_message = "Logs are not encrypted, or have no retention."
  }
}

run "warm_workers" {
  command = plan

  variables {
    warm_workers = { driver = { count = 1, vcpu = 2, memory_gb = 8 } }
  }

  assert {
    condition     = one([for c in aws_emrserverless_application.this.initial_capacity : c.initial_capacity_type]) == "Driver"
    error_message = "The driver is not warm."
  }
}

run "an_image_is_named_by_digest" {
  command = plan

  variables {
    image_uri = "111111111111.dkr.ecr.eu-central-1.amazonaws.com/engine:latest"
  }

  expect_failures = [var.image_uri]
}

run "release_is_checked" {
  command = plan

  variables {
    release_label = "8.1.0"
  }

  expect_failures = [var.release_label]
}
