# The environment's own values give a plan. Run by: terraform test -var-file=terraform.tfvars
mock_provider "aws" {}

run "plan" {
  command = plan

  assert {
    condition     = startswith(var.region, "eu-")
    error_message = "Data must stay in the EU: see docs/security.md."
  }

  assert {
    condition     = length(var.availability_zones) >= 2
    error_message = "One zone is not enough."
  }
}
