mock_provider "aws" {}

variables {
  kms_key_arn         = "arn:aws:kms:eu-central-1:111111111111:key/1"
  tags                = { Project = "headgate", Environment = "test" }
  name                = "headgate-test-lake-111111111111"
  trusted_account_ids = ["111111111111"]
  access_logs         = { bucket = "headgate-test-access-logs" }
  lifecycle_rules     = { health = { prefix = "health/", expire_days = 1 } }
}

run "private_encrypted_and_versioned" {
  command = plan

  assert {
    condition     = alltrue([aws_s3_bucket_public_access_block.this.block_public_acls, aws_s3_bucket_public_access_block.this.block_public_policy, aws_s3_bucket_public_access_block.this.ignore_public_acls, aws_s3_bucket_public_access_block.this.restrict_public_buckets])
    error_message = "Public access is not blocked."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule[*].apply_server_side_encryption_by_default[0].sse_algorithm) == "aws:kms"
    error_message = "The bucket is not encrypted with the KMS key."
  }

  assert {
    condition     = one(aws_s3_bucket_versioning.this.versioning_configuration[*].status) == "Enabled"
    error_message = "Versioning is off."
  }

  assert {
    condition     = one(aws_s3_bucket_ownership_controls.this.rule[*].object_ownership) == "BucketOwnerEnforced"
    error_message = "ACLs are possible."
  }

  assert {
    condition     = length(aws_s3_bucket_logging.this) == 1
    error_message = "Access logs are off."
  }

  assert {
    condition     = !aws_s3_bucket.this.force_destroy
    error_message = "Data would be destroyed by default."
  }

  assert {
    condition     = toset([for r in aws_s3_bucket_lifecycle_configuration.this.rule : r.id]) == toset(["abort-incomplete-uploads", "expire-old-versions", "health"])
    error_message = "A lifecycle rule is missing."
  }

  assert {
    condition     = aws_s3_bucket.this.tags["Project"] == "headgate"
    error_message = "Tags are missing."
  }
}

run "policy_is_tls_only_and_closed_to_other_accounts" {
  command = apply

  assert {
    condition     = toset([for s in jsondecode(aws_s3_bucket_policy.this.policy).Statement : s.Sid]) == toset(["DenyInsecureTransport", "DenyOldTls", "DenyOtherAccounts"])
    error_message = "The bucket policy lacks a statement."
  }

  assert {
    condition     = alltrue([for s in jsondecode(aws_s3_bucket_policy.this.policy).Statement : s.Effect == "Deny"])
    error_message = "The bucket policy allows something."
  }
}

run "log_buckets_use_s3_encryption" {
  command = plan

  variables {
    kms_key_arn = null
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this.rule[*].apply_server_side_encryption_by_default[0].sse_algorithm) == "AES256"
    error_message = "A bucket without a key must use SSE-S3."
  }
}

run "a_bad_name_is_refused" {
  command = plan

  variables {
    name = "Upper_Case"
  }

  expect_failures = [var.name]
}

run "a_bad_account_is_refused" {
  command = plan

  variables {
    trusted_account_ids = ["12"]
  }

  expect_failures = [var.trusted_account_ids]
}
