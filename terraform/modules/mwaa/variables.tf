variable "name_prefix" {
  description = "Prefix of resource names, such as headgate-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name_prefix))
    error_message = "Use 3 to 31 lower-case letters, digits and hyphens."
  }
}

variable "artifacts_bucket_arn" {
  description = "ARN of the artifacts bucket."
  type        = string

  validation {
    condition     = can(regex("^arn:", var.artifacts_bucket_arn))
    error_message = "Give an ARN."
  }
}

variable "kms_key_arn" {
  description = "ARN of the environment's KMS key."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:", var.kms_key_arn))
    error_message = "Give the ARN of a KMS key."
  }
}

variable "role_arn" {
  description = "ARN of the role, from the access module."
  type        = string

  validation {
    condition     = can(regex("^arn:", var.role_arn))
    error_message = "Give an ARN."
  }
}

variable "private_subnet_ids" {
  description = "Ids of the private subnets, in at least two availability zones."
  type        = list(string)

  validation {
    condition     = length(var.private_subnet_ids) >= 2 && alltrue([for id in var.private_subnet_ids : can(regex("^subnet-", id))])
    error_message = "Give at least two subnet ids, subnet-..."
  }
}

variable "security_group_id" {
  description = "Id of the security group, from the network module."
  type        = string

  validation {
    condition     = can(regex("^sg-", var.security_group_id))
    error_message = "Give a security group id, sg-..."
  }
}

variable "tags" {
  description = "Tags for every resource of the module."
  type        = map(string)
  default     = {}
}

variable "airflow_version" {
  description = "Airflow version of the environment, one that MWAA offers."
  type        = string
  default     = "3.0.6"

  validation {
    condition     = can(regex("^3\\.[0-9]+\\.[0-9]+$", var.airflow_version))
    error_message = "Headgate's DAGs need Airflow 3."
  }
}

variable "environment_class" {
  description = "Size of scheduler, workers and web server."
  type        = string
  default     = "mw1.small"

  validation {
    condition     = contains(["mw1.micro", "mw1.small", "mw1.medium", "mw1.large", "mw1.xlarge", "mw1.2xlarge"], var.environment_class)
    error_message = "Give mw1.micro, mw1.small, mw1.medium, mw1.large, mw1.xlarge or mw1.2xlarge."
  }
}

variable "requirements_version" {
  description = "S3 version id of airflow/requirements.txt in the artifacts bucket. Null installs nothing more."
  type        = string
  default     = null
}

variable "configuration" {
  description = "More Airflow settings, as section.key."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.configuration) : can(regex("^[a-z_]+\\.[a-z_]+$", key))])
    error_message = "Name settings as section.key."
  }
}

variable "public_web_server" {
  description = "Whether the web server has a public address (behind IAM). False needs a way into the VPC."
  type        = bool
  default     = false
}

variable "minimum_workers" {
  description = "Fewest workers."
  type        = number
  default     = 1

  validation {
    condition     = var.minimum_workers >= 1
    error_message = "Give at least one worker."
  }
}

variable "maximum_workers" {
  description = "Most workers. Tasks defer while a job runs, so few are enough."
  type        = number
  default     = 3

  validation {
    condition     = var.maximum_workers >= var.minimum_workers
    error_message = "The maximum must be at least the minimum."
  }
}

variable "schedulers" {
  description = "Schedulers."
  type        = number
  default     = 2

  validation {
    condition     = var.schedulers >= 1 && var.schedulers <= 5
    error_message = "Give 1 to 5 schedulers; mw1.micro takes one."
  }
}

variable "maintenance_window" {
  description = "Start of the weekly maintenance window in UTC, as DAY:HH:MM."
  type        = string
  default     = "SUN:12:00"

  validation {
    condition     = can(regex("^(MON|TUE|WED|THU|FRI|SAT|SUN):[0-2][0-9]:(00|30)$", var.maintenance_window))
    error_message = "Give a day and a half hour, such as SUN:12:00."
  }
}
