mock_provider "aws" {}

variables {
  name_prefix = "headgate-test"
  account_id  = "111111111111"
  region      = "eu-central-1"
  tags        = { Project = "headgate", Environment = "test" }
}

run "key_rotates_and_is_closed" {
  command = plan

  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "The key does not rotate."
  }

  assert {
    condition     = aws_kms_key.this.deletion_window_in_days == 30
    error_message = "The key can be deleted too soon."
  }

  assert {
    condition     = alltrue([for s in jsondecode(aws_kms_key.this.policy).Statement : s.Principal != "*"])
    error_message = "The key policy is open."
  }

  assert {
    condition     = alltrue([for s in jsondecode(aws_kms_key.this.policy).Statement : can(s.Condition) if can(s.Principal.Service)])
    error_message = "A service may use the key for other accounts."
  }
}

run "rotation_is_bounded" {
  command = plan

  variables {
    rotation_days = 30
  }

  expect_failures = [var.rotation_days]
}
