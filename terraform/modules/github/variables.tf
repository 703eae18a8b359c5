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
  description = "ARN of the bucket with the logs of jobs."
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

variable "tags" {
  description = "Tags for every resource of the module."
  type        = map(string)
  default     = {}
}

variable "repository" {
  description = "GitHub repository whose workflows may take the roles, as owner/name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$", var.repository))
    error_message = "Give owner/name; wildcards are not allowed."
  }
}

variable "branch" {
  description = "Branch whose pushes may plan."
  type        = string
  default     = "main"

  validation {
    condition     = can(regex("^[A-Za-z0-9._/-]+$", var.branch))
    error_message = "Give a branch name without wildcards."
  }
}

variable "environment" {
  description = "GitHub environment, with required reviewers, in which apply and deploy run."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+$", var.environment))
    error_message = "Give a name in lower case, such as prod."
  }
}

variable "create_provider" {
  description = "Whether to create GitHub's identity provider. An account has at most one."
  type        = bool
  default     = true
}

variable "state_bucket_arn" {
  description = "ARN of the bucket with Terraform's state."
  type        = string

  validation {
    condition     = can(regex("^arn:", var.state_bucket_arn))
    error_message = "Give an ARN."
  }
}

variable "state_key_arn" {
  description = "ARN of the KMS key of Terraform's state."
  type        = string

  validation {
    condition     = can(regex("^arn:", var.state_key_arn))
    error_message = "Give an ARN."
  }
}

variable "application_arn" {
  description = "ARN of the EMR Serverless application."
  type        = string

  validation {
    condition     = can(regex("^arn:", var.application_arn))
    error_message = "Give an ARN."
  }
}

variable "engine_role_arn" {
  description = "ARN of the role that jobs run with."
  type        = string

  validation {
    condition     = can(regex("^arn:", var.engine_role_arn))
    error_message = "Give an ARN."
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
