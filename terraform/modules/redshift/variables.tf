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

variable "kms_key_arn" {
  description = "ARN of the environment's KMS key."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:", var.kms_key_arn))
    error_message = "Give the ARN of a KMS key."
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

variable "gold_database" {
  description = "Name of the Glue database of gold tables."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9_]+$", var.gold_database))
    error_message = "Give a Glue database name: lower-case letters, digits and underscores."
  }
}

variable "base_rpu" {
  description = "Redshift processing units at the start."
  type        = number
  default     = 8

  validation {
    condition     = var.base_rpu >= 8 && var.base_rpu <= 1024
    error_message = "Give 8 to 1024."
  }
}

variable "maximum_rpu" {
  description = "Most Redshift processing units."
  type        = number
  default     = 32

  validation {
    condition     = var.maximum_rpu >= var.base_rpu
    error_message = "The maximum must be at least the base."
  }
}

variable "daily_rpu_hours" {
  description = "Processing unit hours in a day, after which the workgroup stops: the limit of the cost."
  type        = number
  default     = 32

  validation {
    condition     = var.daily_rpu_hours >= 1
    error_message = "Give at least 1."
  }
}
