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

variable "tags" {
  description = "Tags for every resource of the module."
  type        = map(string)
  default     = {}
}

variable "lake_bucket_name" {
  description = "Name of the bucket that sends events to the queue."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.lake_bucket_name))
    error_message = "Give a bucket name."
  }
}

variable "alarm_emails" {
  description = "E-mail addresses that receive alarms. Each has to confirm its subscription."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "Give e-mail addresses."
  }
}

variable "notification_emails" {
  description = "Kinds of notifications (success, failure, recovery, quarantine, late) by the e-mail address that receives them."
  type        = map(set(string))
  default     = {}

  validation {
    condition     = length(setsubtract(flatten([for kinds in values(var.notification_emails) : tolist(kinds)]), ["success", "failure", "recovery", "quarantine", "late"])) == 0
    error_message = "Kinds are success, failure, recovery, quarantine and late."
  }
}

variable "visibility_timeout_seconds" {
  description = "Seconds for which a received event is hidden: at least six times the Lambda's timeout."
  type        = number
  default     = 360

  validation {
    condition     = var.visibility_timeout_seconds >= 30 && var.visibility_timeout_seconds <= 43200
    error_message = "Give 30 to 43200 seconds."
  }
}

variable "retention_hours" {
  description = "Hours that an event waits in the queue. Uploads are not lost after that: each run lists landing."
  type        = number
  default     = 96

  validation {
    condition     = var.retention_hours >= 1 && var.retention_hours <= 336
    error_message = "SQS keeps messages for 1 to 336 hours."
  }
}

variable "max_receive_count" {
  description = "Failed attempts after which an event moves to the dead-letter queue."
  type        = number
  default     = 5

  validation {
    condition     = var.max_receive_count >= 1 && var.max_receive_count <= 100
    error_message = "Give 1 to 100."
  }
}
