# Development: no NAT, no Airflow, one zone for endpoints, data that may be destroyed. About 100 USD a month when idle: docs/operate/cost.md.
environment        = "dev"
account_id         = "111111111111" # replace by your account
region             = "eu-central-1"
availability_zones = ["eu-central-1a", "eu-central-1b"]

# Network: everything stays inside AWS.
nat_gateways        = "none"
endpoint_zones      = "single"
interface_endpoints = ["ecr.api", "ecr.dkr", "emr-serverless", "glue", "kms", "logs", "secretsmanager", "sqs", "sts"]

# Services: set the certificate, then the images, to get a receiver and a read API.
certificate_arn    = null
receiver_image_uri = null
read_api_image_uri = null
internal           = true
service_tasks      = { minimum = 1, maximum = 2 }

# Engine: arrival starts runs by a Lambda function, once `headgate deploy` has uploaded it.
maximum_vcpu            = 16
airflow                 = null
trigger_package_version = null

# Data
force_destroy      = true
noncurrent_days    = 3
log_retention_days = 30

# People and cost
principals          = {}
alarm_emails        = []
notification_emails = {}
monthly_usd         = 300

settings = {
  time_travel_days = 3
}
