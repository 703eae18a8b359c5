# Written from the output `backend` of terraform/bootstrap: terraform init -backend-config=backend.hcl
key        = "headgate/prod/terraform.tfstate"
bucket     = "headgate-state-333333333333"
region     = "eu-central-1"
kms_key_id = "alias/headgate-state"
