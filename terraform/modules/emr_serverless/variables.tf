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

variable "release_label" {
  description = "EMR release. It decides the versions of Spark, Delta, Python and Java; `headgate deploy` checks the pins against it."
  type        = string
  default     = "emr-spark-8.1.0"

  validation {
    condition     = can(regex("^emr-(spark-)?[0-9]+\\.[0-9]+\\.[0-9]+$", var.release_label))
    error_message = "Give a release label such as emr-spark-8.1.0 or emr-7.14.0."
  }
}

variable "architecture" {
  description = "CPU architecture of the workers. The deployed Python environment has to match."
  type        = string
  default     = "ARM64"

  validation {
    condition     = contains(["ARM64", "X86_64"], var.architecture)
    error_message = "Give ARM64 or X86_64."
  }
}

variable "image_uri" {
  description = "Custom image in ECR, by digest. Null uses the release's image and the deployed archive."
  type        = string
  default     = null

  validation {
    condition     = var.image_uri == null ? true : can(regex("@sha256:[0-9a-f]{64}$", var.image_uri))
    error_message = "Name the image by digest: REPOSITORY@sha256:..."
  }
}

variable "maximum_vcpu" {
  description = "Most vCPUs of all jobs together: a limit for the cost of run-away jobs."
  type        = number
  default     = 32

  validation {
    condition     = var.maximum_vcpu >= 4
    error_message = "One driver and one executor need 4 vCPUs."
  }
}

variable "maximum_memory_gb" {
  description = "Most memory of all jobs together, in GB."
  type        = number
  default     = 128

  validation {
    condition     = var.maximum_memory_gb >= 16
    error_message = "Give at least 16 GB."
  }
}

variable "maximum_disk_gb" {
  description = "Most disk of all jobs together, in GB."
  type        = number
  default     = 640

  validation {
    condition     = var.maximum_disk_gb >= 40
    error_message = "Give at least 40 GB."
  }
}

variable "idle_minutes" {
  description = "Minutes without a job after which the application stops."
  type        = number
  default     = 15

  validation {
    condition     = var.idle_minutes >= 1 && var.idle_minutes <= 10080
    error_message = "Give 1 to 10080 minutes."
  }
}

variable "warm_workers" {
  description = "Pre-initialized workers by type (driver, executor): count, vCPUs and memory in GB of each."
  type        = map(object({ count = number, vcpu = number, memory_gb = number }))
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.warm_workers) : contains(["driver", "executor"], name)])
    error_message = "Worker types are driver and executor."
  }
}
