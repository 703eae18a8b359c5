# Production: three zones, no shared NAT, Airflow, landed uploads are kept. About 1,200 USD a month when idle.
environment        = "prod"
account_id         = "333333333333" # replace by your account
region             = "eu-central-1"
availability_zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]

# Network
nat_gateways   = "per_zone"
endpoint_zones = "all"

# Services: set the certificate, then the images, to get a receiver and a read API.
certificate_arn    = null
receiver_image_uri = null
read_api_image_uri = null
allowed_cidrs      = []
service_tasks      = { minimum = 3, maximum = 12 }

# Engine and schedules
maximum_vcpu = 128
airflow      = { class = "mw1.small", schedulers = 2, maximum_workers = 5 }

# Data
landing_days       = null
noncurrent_days    = 14
log_retention_days = 365

# People and cost
principals          = {}
alarm_emails        = []
notification_emails = {}
expect_uploads      = true
monthly_usd         = 3000

settings = {
  automation = {
    schedules = {
      intraday = { cron = "*/10 * * * *", notify = ["failure", "recovery"] }
      nightly  = { cron = "0 2 * * *", verbs = ["run", "reconcile", "check", "maintain"], notify = ["success", "failure", "recovery"] }
    }
  }
}
