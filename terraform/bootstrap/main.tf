# Once per account, with local state: the bucket and the key for the state of everything else.

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { Project = "headgate", Environment = var.environment, ManagedBy = "terraform" }
  }
}

resource "aws_kms_key" "state" {
  description             = "headgate: Terraform state"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "AccountAdministersThroughIam"
      Effect    = "Allow"
      Principal = { AWS = "arn:${var.partition}:iam::${var.account_id}:root" }
      Action    = "kms:*"
      Resource  = "*"
    }]
  })
}

resource "aws_kms_alias" "state" {
  name          = "alias/headgate-state"
  target_key_id = aws_kms_key.state.key_id
}

module "state" {
  source = "../modules/bucket"

  name                = "headgate-state-${var.account_id}"
  kms_key_arn         = aws_kms_key.state.arn
  noncurrent_days     = 365
  trusted_account_ids = [var.account_id]
}
