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

variable "tags" {
  description = "Tags for every resource of the module."
  type        = map(string)
  default     = {}
}

variable "workgroup" {
  description = "Name of the Athena workgroup with whose limits QuickSight queries."
  type        = string

  validation {
    condition     = length(var.workgroup) >= 1
    error_message = "Give a workgroup."
  }
}

variable "user_arns" {
  description = "ARNs of the QuickSight users or groups that may use the data source."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.user_arns : can(regex("^arn:[a-z-]+:quicksight:", arn))])
    error_message = "Give ARNs of QuickSight users or groups."
  }
}
