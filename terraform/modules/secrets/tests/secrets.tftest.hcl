mock_provider "aws" {}

variables {
  name_prefix = "headgate-test"
  account_id  = "111111111111"
  kms_key_arn = "arn:aws:kms:eu-central-1:111111111111:key/1"
  tags        = { Project = "headgate", Environment = "test" }
}

run "encrypted_and_without_values" {
  command = plan

  assert {
    condition     = toset(keys(aws_secretsmanager_secret.this)) == toset(["store-keys", "read-keys", "cursor-key"])
    error_message = "A secret is missing."
  }

  assert {
    condition     = alltrue([for s in aws_secretsmanager_secret.this : s.kms_key_id == var.kms_key_arn && s.recovery_window_in_days == 30])
    error_message = "A secret is not encrypted, or cannot be restored."
  }

  assert {
    condition     = alltrue([for p in aws_secretsmanager_secret_policy.this : p.block_public_policy && jsondecode(p.policy).Statement[0].Effect == "Deny"])
    error_message = "Another account could read a secret."
  }
}
