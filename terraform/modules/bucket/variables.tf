variable "name" {
  description = "Name of the bucket. Names are global in AWS, so include the account id."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "Use 3 to 63 lower-case letters, digits and hyphens."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the objects. Null uses SSE-S3, which log delivery services require."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:", var.kms_key_arn))
    error_message = "Give the ARN of a KMS key, or null."
  }
}

variable "access_logs" {
  description = "The bucket that receives S3 server access logs. Null turns access logs off."
  type        = object({ bucket = string })
  default     = null

  validation {
    condition     = var.access_logs == null ? true : length(var.access_logs.bucket) >= 3
    error_message = "Give the name of a bucket."
  }
}

variable "noncurrent_days" {
  description = "Days after which a replaced or deleted object version is removed."
  type        = number
  default     = 30

  validation {
    condition     = var.noncurrent_days >= 1 && var.noncurrent_days <= 3650
    error_message = "Give a number of days from 1 to 3650."
  }
}

variable "lifecycle_rules" {
  description = "Lifecycle rules by name: prefix, days until the objects expire (null: never), and transitions to cheaper storage classes."
  type = map(object({
    prefix      = string
    expire_days = optional(number)
    transitions = optional(list(object({ days = number, storage_class = string })), [])
  }))
  default = {}

  validation {
    condition     = alltrue([for rule in values(var.lifecycle_rules) : try(rule.expire_days, null) == null ? true : rule.expire_days >= 1])
    error_message = "Objects can expire after one day at the earliest."
  }
}

variable "policy_statements" {
  description = "Bucket policy statements in addition to TLS only and the account boundary."
  type        = any
  default     = []

  validation {
    condition     = can(length(var.policy_statements)) && alltrue([for s in var.policy_statements : can(s.Sid) && can(s.Effect)])
    error_message = "Give a list of IAM statements, each with Sid and Effect."
  }
}

variable "trusted_account_ids" {
  description = "Account ids whose principals may use the bucket at all. An empty list sets no account boundary."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.trusted_account_ids : can(regex("^[0-9]{12}$", id))])
    error_message = "An account id has 12 digits."
  }
}

variable "force_destroy" {
  description = "Whether terraform destroy may delete a bucket that still has objects. Only for throw-away environments."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags for the bucket."
  type        = map(string)
  default     = {}
}
