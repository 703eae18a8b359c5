# terragrunt run apply, in this folder. Without Terragrunt: terraform init -backend-config=backend.hcl
include "root" {
  path = find_in_parent_folders("root.hcl")
}

terraform {
  # The environment's own folder: its .tf files call modules/platform.
  source = "${get_repo_root()}//terraform/envs/${basename(get_terragrunt_dir())}"
}
