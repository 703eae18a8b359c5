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

variable "lake_bucket_arn" {
  description = "ARN of the lake bucket."
  type        = string

  validation {
    condition     = can(regex("^arn:", var.lake_bucket_arn))
    error_message = "Give an ARN."
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

variable "logs_bucket_arn" {
  description = "ARN of the bucket for logs and query results."
  type        = string

  validation {
    condition     = can(regex("^arn:", var.logs_bucket_arn))
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

variable "application_arn" {
  description = "ARN of the EMR Serverless application."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:emr-serverless:", var.application_arn))
    error_message = "Give the ARN of an EMR Serverless application."
  }
}

variable "gold_database" {
  description = "Name of the Glue database of gold tables."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9_]+$", var.gold_database))
    error_message = "Give a Glue database name: lower-case letters, digits and underscores."
  }
}

variable "emr_on_ec2" {
  description = "Whether jobs may also run on EMR on EC2: adds a service role, and lets nodes take the engine role."
  type        = bool
  default     = false
}

variable "permissions_boundary_arn" {
  description = "ARN of a permissions boundary for every role. Null sets none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null ? true : can(regex("^arn:", var.permissions_boundary_arn))
    error_message = "Give the ARN of a policy, or null."
  }
}
