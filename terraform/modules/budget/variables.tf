variable "name_prefix" {
  description = "Prefix of resource names, such as headgate-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name_prefix))
    error_message = "Use 3 to 31 lower-case letters, digits and hyphens."
  }
}

variable "alarm_topic_arn" {
  description = "ARN of the SNS topic for alarms."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:sns:", var.alarm_topic_arn))
    error_message = "Give the ARN of an SNS topic."
  }
}

variable "tags" {
  description = "Tags for every resource of the module."
  type        = map(string)
  default     = {}
}

variable "monthly_usd" {
  description = "Budget for a month, in USD."
  type        = number

  validation {
    condition     = var.monthly_usd >= 1
    error_message = "Give at least 1 USD."
  }
}

variable "anomaly_detection" {
  description = "Whether unusual cost is reported. AWS allows a single monitor of services per account."
  type        = bool
  default     = true
}

variable "anomaly_usd" {
  description = "Unusual cost from this many USD is reported."
  type        = number
  default     = 50

  validation {
    condition     = var.anomaly_usd >= 1
    error_message = "Give at least 1 USD."
  }
}
