# Shared by the environments: where the state is. Account and region come from each environment's terraform.tfvars.

locals {
  environment = basename(get_terragrunt_dir())
  variables   = jsondecode(read_tfvars_file("${get_terragrunt_dir()}/terraform.tfvars"))
}

remote_state {
  backend = "s3"

  config = {
    bucket       = "headgate-state-${local.variables.account_id}"
    key          = "headgate/${local.environment}/terraform.tfstate"
    region       = local.variables.region
    kms_key_id   = "alias/headgate-state"
    encrypt      = true
    use_lockfile = true
  }
}
