mock_provider "aws" {}

variables {
  name_prefix     = "headgate-test"
  account_id      = "111111111111"
  lake_bucket_arn = "arn:aws:s3:::headgate-test-lake-111111111111"
  kms_key_arn     = "arn:aws:kms:eu-central-1:111111111111:key/1"
  vpc_id          = "vpc-1"
  tags            = { Project = "headgate", Environment = "test" }
  lake_bucket     = "headgate-test-lake-111111111111"
  subnet_ids      = ["subnet-a"]
  allowed_cidrs   = ["203.0.113.0/24"]
  stores          = { store-1 = "ssh-ed25519 AAAA" }
}

run "each_store_sees_its_own_folder" {
  command = plan

  assert {
    condition     = aws_transfer_server.this.protocols == toset(["SFTP"])
    error_message = "Another protocol is open."
  }

  assert {
    condition     = [for s in jsondecode(aws_transfer_user.this["store-1"].policy).Statement : s.Resource if s.Sid == "OwnFolder"] == ["arn:aws:s3:::headgate-test-lake-111111111111/inbox/store-1/*"]
    error_message = "A store can write into another folder."
  }

  assert {
    condition     = one(aws_transfer_user.this["store-1"].home_directory_mappings[*].target) == "/headgate-test-lake-111111111111/inbox/store-1"
    error_message = "The home folder is wrong."
  }
}

run "the_internet_is_refused" {
  command = plan

  variables {
    allowed_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.allowed_cidrs]
}
