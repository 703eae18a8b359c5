variable "account_id" {
  description = "Id of the AWS account."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An account id has 12 digits."
  }
}

variable "partition" {
  description = "AWS partition of the account."
  type        = string
  default     = "aws"

  validation {
    condition     = contains(["aws", "aws-cn", "aws-us-gov"], var.partition)
    error_message = "Give aws, aws-cn or aws-us-gov."
  }
}

variable "region" {
  description = "AWS region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "Give a region such as eu-central-1."
  }
}

variable "log_retention_days" {
  description = "Days that CloudWatch keeps the logs."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch accepts 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 and more days, as its API lists them."
  }
}

variable "tags" {
  description = "Tags for every resource of the module."
  type        = map(string)
  default     = {}
}

variable "environment" {
  description = "Name of the environment: dev, staging or prod."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "Give dev, staging or prod."
  }
}

variable "trusted_account_ids" {
  description = "Other accounts whose principals may use the buckets. None by default: every other account is denied."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.trusted_account_ids : can(regex("^[0-9]{12}$", id))])
    error_message = "An account id has 12 digits."
  }
}

variable "settings" {
  description = "Keys of the environment's file that name no resource: schedules, Spark settings, time travel."
  type        = any
  default     = {}

  validation {
    condition     = can(keys(var.settings))
    error_message = "Give an object, with the keys of docs/environments.md."
  }
}

# --- network

variable "cidr" {
  description = "Address range of the VPC."
  type        = string
  default     = "10.40.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr, 0))
    error_message = "Give an IPv4 range, such as 10.40.0.0/16."
  }
}

variable "availability_zones" {
  description = "Availability zones, two or three."
  type        = list(string)

  validation {
    condition     = length(var.availability_zones) >= 2 && length(var.availability_zones) <= 3
    error_message = "Give two or three availability zones."
  }
}

variable "nat_gateways" {
  description = "NAT gateways: none, single or per_zone. MWAA needs NAT to install packages from PyPI."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "single", "per_zone"], var.nat_gateways)
    error_message = "Give none, single or per_zone."
  }
}

variable "interface_endpoints" {
  description = "AWS services that are reached by an interface endpoint."
  type        = set(string)
  default     = ["ecr.api", "ecr.dkr", "emr-serverless", "glue", "kms", "logs", "monitoring", "secretsmanager", "sns", "sqs", "sts"]

  validation {
    condition     = alltrue([for name in var.interface_endpoints : can(regex("^[a-z0-9.-]+$", name))])
    error_message = "Give service names, such as sqs."
  }
}

variable "endpoint_zones" {
  description = "Where interface endpoints have an address: single or all zones."
  type        = string
  default     = "all"

  validation {
    condition     = contains(["single", "all"], var.endpoint_zones)
    error_message = "Give single or all."
  }
}

variable "allowed_cidrs" {
  description = "Networks that may connect to receiver and read API by HTTPS."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.allowed_cidrs : can(cidrhost(cidr, 0))])
    error_message = "Give IPv4 ranges, such as 203.0.113.0/24."
  }
}

# --- services

variable "certificate_arn" {
  description = "ARN of the ACM certificate of the load balancer. Null: no load balancer and no services."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null ? true : can(regex("^arn:[a-z-]+:acm:", var.certificate_arn))
    error_message = "Give the ARN of an ACM certificate, or null."
  }
}

variable "internal" {
  description = "Whether the load balancer has private addresses only."
  type        = bool
  default     = false
}

variable "receiver_image_uri" {
  description = "Image of the receiver by digest. Null: no receiver yet."
  type        = string
  default     = null

  validation {
    condition     = var.receiver_image_uri == null ? true : can(regex("@sha256:[0-9a-f]{64}$", var.receiver_image_uri))
    error_message = "Name the image by digest: REPOSITORY@sha256:..."
  }
}

variable "read_api_image_uri" {
  description = "Image of the read API by digest. Null: no read API yet."
  type        = string
  default     = null

  validation {
    condition     = var.read_api_image_uri == null ? true : can(regex("@sha256:[0-9a-f]{64}$", var.read_api_image_uri))
    error_message = "Name the image by digest: REPOSITORY@sha256:..."
  }
}

variable "service_tasks" {
  description = "Fewest and most tasks of each service."
  type        = object({ minimum = number, maximum = number })
  default     = { minimum = 2, maximum = 6 }

  validation {
    condition     = var.service_tasks.minimum >= 1 && var.service_tasks.minimum <= var.service_tasks.maximum
    error_message = "Give a minimum from 1, and a maximum that is at least the minimum."
  }
}

variable "service_ec2" {
  description = "EC2 instances for the services: AMI, instance type, sizes. Null: Fargate."
  type        = object({ image_id = string, instance_type = string, minimum = number, maximum = number })
  default     = null

  validation {
    condition     = var.service_ec2 == null ? true : startswith(var.service_ec2.image_id, "ami-")
    error_message = "Give the id of an ECS-optimized AMI, ami-..."
  }
}

# --- engine

variable "release_label" {
  description = "EMR release. `headgate deploy` checks the pins against it."
  type        = string
  default     = "emr-spark-8.1.0"

  validation {
    condition     = can(regex("^emr-(spark-)?[0-9]+\\.[0-9]+\\.[0-9]+$", var.release_label))
    error_message = "Give a release label such as emr-spark-8.1.0 or emr-7.14.0."
  }
}

variable "architecture" {
  description = "CPU architecture of jobs and services."
  type        = string
  default     = "ARM64"

  validation {
    condition     = contains(["ARM64", "X86_64"], var.architecture)
    error_message = "Give ARM64 or X86_64."
  }
}

variable "engine_image_uri" {
  description = "Custom EMR Serverless image by digest. Null uses the release's image and the deployed archive."
  type        = string
  default     = null

  validation {
    condition     = var.engine_image_uri == null ? true : can(regex("@sha256:[0-9a-f]{64}$", var.engine_image_uri))
    error_message = "Name the image by digest: REPOSITORY@sha256:..."
  }
}

variable "maximum_vcpu" {
  description = "Most vCPUs of all jobs together; memory is four times as many GB."
  type        = number
  default     = 32

  validation {
    condition     = var.maximum_vcpu >= 4
    error_message = "Give at least 4."
  }
}

variable "warm_workers" {
  description = "Pre-initialized workers by type (driver, executor)."
  type        = map(object({ count = number, vcpu = number, memory_gb = number }))
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.warm_workers) : contains(["driver", "executor"], name)])
    error_message = "Worker types are driver and executor."
  }
}

variable "emr_ec2" {
  description = "An EMR on EC2 cluster in addition to EMR Serverless. Null: none."
  type        = object({ core_spot = optional(number, 0), maximum_nodes = optional(number, 8) })
  default     = null

  validation {
    condition     = var.emr_ec2 == null ? true : var.emr_ec2.maximum_nodes >= 1
    error_message = "Use at least one node."
  }
}

# --- schedules

variable "airflow" {
  description = "MWAA: version, class, schedulers, most workers, version id of the requirements file. Null: no MWAA."
  type = object({
    version              = optional(string, "3.0.6")
    class                = optional(string, "mw1.small")
    schedulers           = optional(number, 2)
    maximum_workers      = optional(number, 3)
    requirements_version = optional(string)
  })
  default = null

  validation {
    condition     = var.airflow == null ? true : can(regex("^3\\.", var.airflow.version))
    error_message = "Headgate's DAGs need Airflow 3."
  }
}

variable "trigger_package_version" {
  description = "S3 version id of lambda/on_arrival.zip in the artifacts bucket. Null: no arrival function."
  type        = string
  default     = null

  validation {
    condition     = var.trigger_package_version == null || var.airflow == null
    error_message = "Airflow and the function would read the same queue: set airflow or trigger_package_version."
  }
}

# --- data

variable "landing_days" {
  description = "Days after which landed uploads are deleted. Null keeps them."
  type        = number
  default     = null

  validation {
    condition     = var.landing_days == null ? true : var.landing_days >= 90
    error_message = "Give at least 90 days, or null."
  }
}

variable "landing_archive_days" {
  description = "Days after which landed uploads move to Glacier Instant Retrieval."
  type        = number
  default     = 60

  validation {
    condition     = var.landing_archive_days >= 30
    error_message = "Give at least 30 days."
  }
}

variable "noncurrent_days" {
  description = "Days that replaced and deleted object versions of the lake are kept."
  type        = number
  default     = 14

  validation {
    condition     = var.noncurrent_days >= 1
    error_message = "Give at least one day."
  }
}

variable "force_destroy" {
  description = "Whether terraform destroy may delete data. Only for throw-away environments."
  type        = bool
  default     = false

  validation {
    condition     = !(var.force_destroy && var.environment == "prod")
    error_message = "Production data must not be destroyed by terraform destroy."
  }
}

variable "encrypt_catalog" {
  description = "Whether this platform sets the account's Glue catalog encryption."
  type        = bool
  default     = true
}

variable "workgroups" {
  description = "Athena workgroups by name: description, and GB that a query may scan."
  type        = map(object({ description = string, scan_limit_gb = number }))
  default = {
    analysts = { description = "People and BI tools", scan_limit_gb = 50 }
    platform = { description = "Headgate itself and its checks", scan_limit_gb = 10 }
  }

  validation {
    condition     = contains(keys(var.workgroups), "analysts")
    error_message = "The workgroup analysts is needed."
  }
}

variable "queries" {
  description = "Further Athena named queries by name, beside those of conf/queries."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for sql in values(var.queries) : length(trimspace(sql)) > 0])
    error_message = "A named query has no text."
  }
}

# --- people, cost, notifications

variable "principals" {
  description = "Who may take the roles analyst, engineer, operator and store: ARNs of IAM principals."
  type        = map(list(string))
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.principals), ["analyst", "engineer", "operator", "store"])) == 0
    error_message = "Roles are analyst, engineer, operator and store."
  }
}

variable "require_mfa" {
  description = "Whether people need a second factor to take a role."
  type        = bool
  default     = true
}

variable "lake_formation" {
  description = "Whether Lake Formation grants are made for the roles of people."
  type        = bool
  default     = false
}

variable "alarm_emails" {
  description = "E-mail addresses that receive alarms."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "Give e-mail addresses."
  }
}

variable "notification_emails" {
  description = "Kinds of notifications (success, failure, recovery, quarantine, late) by e-mail address."
  type        = map(set(string))
  default     = {}

  validation {
    condition     = alltrue([for address in keys(var.notification_emails) : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "Give e-mail addresses."
  }
}

variable "expect_uploads" {
  description = "Whether a day without any upload is an alarm."
  type        = bool
  default     = false
}

variable "monthly_usd" {
  description = "Monthly budget in USD."
  type        = number

  validation {
    condition     = var.monthly_usd >= 1
    error_message = "Give at least 1 USD."
  }
}

variable "anomaly_detection" {
  description = "Whether unusual cost is reported. AWS allows a single monitor of services per account."
  type        = bool
  default     = true
}

variable "github" {
  description = "GitHub Actions by OIDC: repository, the state's bucket and key, and whether to create the identity provider. Null: none."
  type = object({
    repository       = string
    state_bucket_arn = string
    state_key_arn    = string
    create_provider  = optional(bool, true)
  })
  default = null

  validation {
    condition     = var.github == null ? true : can(regex("^[^/*]+/[^/*]+$", var.github.repository))
    error_message = "Give the repository as owner/name."
  }
}

# --- optional modules

variable "quicksight_user_arns" {
  description = "QuickSight users or groups that may use gold. Null: no QuickSight."
  type        = set(string)
  default     = null

  validation {
    condition     = var.quicksight_user_arns == null ? true : alltrue([for arn in var.quicksight_user_arns : can(regex("^arn:", arn))])
    error_message = "Give ARNs of QuickSight users or groups."
  }
}

variable "stream_dataset" {
  description = "Dataset that arrives by Kinesis. Null: no stream."
  type        = string
  default     = null

  validation {
    condition     = var.stream_dataset == null ? true : can(regex("^[a-z][a-z0-9_]*$", var.stream_dataset))
    error_message = "Give a dataset name."
  }
}

variable "transfer" {
  description = "SFTP: allowed networks, and public SSH keys by store. Null: no SFTP."
  type        = object({ allowed_cidrs = list(string), stores = map(string) })
  default     = null

  validation {
    condition     = var.transfer == null ? true : length(var.transfer.allowed_cidrs) >= 1
    error_message = "Give the stores' networks."
  }
}

variable "redshift" {
  description = "Whether there is a Redshift Serverless workgroup that reads gold."
  type        = bool
  default     = false
}
