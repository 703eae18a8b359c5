# Written from the output `backend` of terraform/bootstrap: terraform init -backend-config=backend.hcl
key        = "headgate/dev/terraform.tfstate"
bucket     = "headgate-state-111111111111"
region     = "eu-central-1"
kms_key_id = "alias/headgate-state"
