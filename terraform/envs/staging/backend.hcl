# Written from the output `backend` of terraform/bootstrap: terraform init -backend-config=backend.hcl
key        = "headgate/staging/terraform.tfstate"
bucket     = "headgate-state-222222222222"
region     = "eu-central-1"
kms_key_id = "alias/headgate-state"
