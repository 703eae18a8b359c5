terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 6.0.0"
    }
  }

  # Bucket, key and region: backend.hcl. The lock is an object in the same bucket.
  backend "s3" {
    use_lockfile = true
    encrypt      = true
  }
}
