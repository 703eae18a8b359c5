variable "name_prefix" {
  description = "Prefix of resource names, such as headgate-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name_prefix))
    error_message = "Use 3 to 31 lower-case letters, digits and hyphens."
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

variable "queue_name" {
  description = "Name of the queue of landing events."
  type        = string

  validation {
    condition     = length(var.queue_name) >= 1
    error_message = "Give a queue name."
  }
}

variable "dead_letter_queue_name" {
  description = "Name of the dead-letter queue."
  type        = string

  validation {
    condition     = length(var.dead_letter_queue_name) >= 1
    error_message = "Give a queue name."
  }
}

variable "backlog_minutes" {
  description = "Minutes that a landing event may wait before an alarm."
  type        = number
  default     = 60

  validation {
    condition     = var.backlog_minutes >= 5
    error_message = "Give at least 5 minutes."
  }
}

variable "application_id" {
  description = "Id of the EMR Serverless application."
  type        = string

  validation {
    condition     = length(var.application_id) >= 1
    error_message = "Give an application id."
  }
}

variable "maximum_vcpu" {
  description = "The application's vCPU limit."
  type        = number

  validation {
    condition     = var.maximum_vcpu >= 4
    error_message = "Give at least 4."
  }
}

variable "load_balancer" {
  description = "The load balancer's name in metrics; null without services."
  type        = string
  default     = null
}

variable "services" {
  description = "Services behind the load balancer by name: target group as in metrics, and the P99 in seconds that is too slow."
  type        = map(object({ target_group = string, slow_seconds = number }))
  default     = {}

  validation {
    condition     = alltrue([for service in values(var.services) : service.slow_seconds > 0])
    error_message = "Give a positive number of seconds."
  }
}

variable "expect_uploads" {
  description = "Whether a day without any upload is an alarm."
  type        = bool
  default     = false
}

variable "trigger_function_name" {
  description = "Name of the arrival function; null where there is none."
  type        = string
  default     = null
}

variable "airflow_name" {
  description = "Name of the MWAA environment; null where there is none."
  type        = string
  default     = null
}
