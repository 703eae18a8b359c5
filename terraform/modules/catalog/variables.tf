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

variable "lake_bucket" {
  description = "Name of the lake bucket."
  type        = string

  validation {
    condition     = length(var.lake_bucket) >= 3
    error_message = "Give a bucket name."
  }
}

variable "logs_bucket" {
  description = "Name of the bucket for query results, below athena/."
  type        = string

  validation {
    condition     = length(var.logs_bucket) >= 3
    error_message = "Give a bucket name."
  }
}

variable "databases" {
  description = "Glue databases by layer, with their descriptions. Gold is needed; silver holds filtering views, where wanted."
  type        = map(string)
  default     = { gold = "Headgate: gold tables, registered by headgate deploy" }

  validation {
    condition     = contains(keys(var.databases), "gold")
    error_message = "The database gold is needed."
  }
}

variable "encrypt_catalog" {
  description = "Whether this module sets the account's encryption of the Glue catalog. False where the account sets it elsewhere."
  type        = bool
  default     = true
}

variable "workgroups" {
  description = "Athena workgroups by name: description, and how many GB one query may scan."
  type        = map(object({ description = string, scan_limit_gb = number }))
  default = {
    analysts = { description = "People and BI tools", scan_limit_gb = 50 }
    platform = { description = "Headgate itself and its checks", scan_limit_gb = 10 }
  }

  validation {
    condition     = contains(keys(var.workgroups), "analysts") && alltrue([for w in values(var.workgroups) : w.scan_limit_gb >= 1])
    error_message = "The workgroup analysts is needed, and each scan limit is at least 1 GB."
  }
}

variable "queries" {
  description = "Named queries by name, in Athena's SQL: the files of conf/queries."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for sql in values(var.queries) : length(trimspace(sql)) > 0])
    error_message = "A named query has no text."
  }
}
