mock_provider "aws" {}

variables {
  name_prefix = "headgate-test"
  account_id  = "111111111111"
  region      = "eu-central-1"
  kms_key_arn = "arn:aws:kms:eu-central-1:111111111111:key/1"
  tags        = { Project = "headgate", Environment = "test" }
}

run "immutable_and_scanned" {
  command = plan

  assert {
    condition     = toset(keys(aws_ecr_repository.this)) == toset(["receiver", "read-api", "engine"])
    error_message = "A repository is missing."
  }

  assert {
    condition     = alltrue([for r in aws_ecr_repository.this : r.image_tag_mutability == "IMMUTABLE" && one(r.image_scanning_configuration[*].scan_on_push)])
    error_message = "Images can be replaced, or are not scanned."
  }

  assert {
    condition     = alltrue([for r in aws_ecr_repository.this : one(r.encryption_configuration[*].encryption_type) == "KMS"])
    error_message = "Images are not encrypted."
  }

  assert {
    condition     = jsondecode(aws_ecr_repository_policy.engine[0].policy).Statement[0].Principal.Service == "emr-serverless.amazonaws.com"
    error_message = "EMR Serverless cannot pull the image."
  }
}
