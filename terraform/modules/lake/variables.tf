variable "name_prefix" {
  description = "Prefix of resource names, such as headgate-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name_prefix))
    error_message = "Use 3 to 31 lower-case letters, digits and hyphens."
  }
}

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

variable "kms_key_arn" {
  description = "ARN of the environment's KMS key."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:", var.kms_key_arn))
    error_message = "Give the ARN of a KMS key."
  }
}

variable "queue_arn" {
  description = "ARN of the queue of landing events."
  type        = string

  validation {
    condition     = can(regex("^arn:", var.queue_arn))
    error_message = "Give an ARN."
  }
}

variable "tags" {
  description = "Tags for every resource of the module."
  type        = map(string)
  default     = {}
}

variable "trusted_account_ids" {
  description = "Accounts whose principals may use the buckets: usually the own account alone."
  type        = list(string)

  validation {
    condition     = length(var.trusted_account_ids) >= 1 && alltrue([for id in var.trusted_account_ids : can(regex("^[0-9]{12}$", id))])
    error_message = "Give at least the own account id, of 12 digits."
  }
}

variable "retention_role_arns" {
  description = "Roles (or ARN patterns) that may delete landed uploads, for deletion on request. Nobody else may."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.retention_role_arns : can(regex("^arn:", arn))])
    error_message = "Give ARNs of roles."
  }
}

variable "landing_days" {
  description = "Days after which landed uploads are deleted. Null keeps them, so that every table can be rebuilt."
  type        = number
  default     = null

  validation {
    condition     = var.landing_days == null ? true : var.landing_days >= 90
    error_message = "Keep landed uploads for at least 90 days, or set null to keep them always."
  }
}

variable "landing_archive_days" {
  description = "Days after which landed uploads move to Glacier Instant Retrieval."
  type        = number
  default     = 60

  validation {
    condition     = var.landing_archive_days >= 30
    error_message = "Give at least 30 days: the lookback and most replays read landed uploads."
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

variable "run_report_days" {
  description = "Days that run reports and their logs are kept."
  type        = number
  default     = 400

  validation {
    condition     = var.run_report_days >= 30
    error_message = "Give at least 30 days."
  }
}

variable "job_log_days" {
  description = "Days that EMR logs are kept."
  type        = number
  default     = 90

  validation {
    condition     = var.job_log_days >= 7
    error_message = "Give at least 7 days."
  }
}

variable "audit_days" {
  description = "Days that CloudTrail logs are kept."
  type        = number
  default     = 400

  validation {
    condition     = var.audit_days >= 365
    error_message = "Keep audit logs for at least a year."
  }
}

variable "access_log_days" {
  description = "Days that S3 and load balancer access logs are kept."
  type        = number
  default     = 90

  validation {
    condition     = var.access_log_days >= 30
    error_message = "Give at least 30 days."
  }
}

variable "force_destroy" {
  description = "Whether terraform destroy may delete buckets that still have objects. Only for throw-away environments."
  type        = bool
  default     = false
}
