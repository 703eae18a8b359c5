variable "name_prefix" {
  description = "Prefix of resource names, such as headgate-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name_prefix))
    error_message = "Use 3 to 31 lower-case letters, digits and hyphens."
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

variable "queue_arn" {
  description = "ARN of the queue of landing events."
  type        = string

  validation {
    condition     = can(regex("^arn:", var.queue_arn))
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

variable "artifacts_bucket" {
  description = "Name of the bucket that holds the function's archive."
  type        = string

  validation {
    condition     = length(var.artifacts_bucket) >= 3
    error_message = "Give a bucket name."
  }
}

variable "package_key" {
  description = "Key of the function's archive, written by make schedulers."
  type        = string
  default     = "lambda/on_arrival.zip"

  validation {
    condition     = endswith(var.package_key, ".zip")
    error_message = "The archive is a .zip file."
  }
}

variable "package_version" {
  description = "S3 version id of the archive. Null takes the newest at the time of apply."
  type        = string
  default     = null
}

variable "handler" {
  description = "Handler of the function, as module.function."
  type        = string
  default     = "on_arrival.handler"

  validation {
    condition     = can(regex("^[A-Za-z0-9_/]+\\.[A-Za-z0-9_.]+$", var.handler))
    error_message = "Give module.function."
  }
}

variable "environment" {
  description = "Environment variables of the function."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "Names of variables are upper case."
  }
}

variable "timeout_seconds" {
  description = "Seconds that one call may take."
  type        = number
  default     = 60

  validation {
    condition     = var.timeout_seconds >= 10 && var.timeout_seconds <= 900
    error_message = "Give 10 to 900 seconds."
  }
}

variable "batching_seconds" {
  description = "Seconds for which events are collected before the function is called."
  type        = number
  default     = 20

  validation {
    condition     = var.batching_seconds >= 1 && var.batching_seconds <= 300
    error_message = "Give 1 to 300 seconds."
  }
}
