# Staging: like production, smaller. About 700 USD a month when idle.
environment        = "staging"
account_id         = "222222222222" # replace by your account
region             = "eu-central-1"
availability_zones = ["eu-central-1a", "eu-central-1b"]

# Network
nat_gateways   = "single"
endpoint_zones = "single"

# Services: set the certificate, then the images, to get a receiver and a read API.
certificate_arn    = null
receiver_image_uri = null
read_api_image_uri = null
allowed_cidrs      = []
service_tasks      = { minimum = 1, maximum = 3 }

# Engine and schedules
maximum_vcpu = 32
airflow      = { class = "mw1.small", schedulers = 2, maximum_workers = 2 }

# Data
noncurrent_days    = 7
log_retention_days = 90

# People and cost
principals          = {}
alarm_emails        = []
notification_emails = {}
monthly_usd         = 1200

settings = {
  automation = {
    schedules = {
      nightly = { cron = "0 2 * * *", verbs = ["run", "reconcile", "check", "maintain"], notify = ["success", "failure", "recovery"] }
    }
  }
}
