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

variable "vpc_id" {
  description = "Id of the VPC."
  type        = string

  validation {
    condition     = can(regex("^vpc-", var.vpc_id))
    error_message = "Give a VPC id, vpc-..."
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

variable "release_label" {
  description = "EMR release."
  type        = string
  default     = "emr-spark-8.1.0"

  validation {
    condition     = can(regex("^emr-(spark-)?[0-9]+\\.[0-9]+\\.[0-9]+$", var.release_label))
    error_message = "Give a release label such as emr-spark-8.1.0 or emr-7.14.0."
  }
}

variable "tags" {
  description = "Tags for every resource of the module."
  type        = map(string)
  default     = {}
}

variable "logs_bucket" {
  description = "Name of the bucket for EMR logs."
  type        = string

  validation {
    condition     = length(var.logs_bucket) >= 3
    error_message = "Give a bucket name."
  }
}

variable "service_role_arn" {
  description = "ARN of EMR's service role, from the access module."
  type        = string

  validation {
    condition     = can(regex("^arn:", var.service_role_arn))
    error_message = "Give an ARN."
  }
}

variable "instance_role_name" {
  description = "Name of the role of the nodes: the engine role of the access module."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.instance_role_name))
    error_message = "Give the name of a role, not its ARN."
  }
}

variable "primary_instance_types" {
  description = "Instance types for the primary node, in order of preference."
  type        = list(string)
  default     = ["m7g.xlarge", "m6g.xlarge"]

  validation {
    condition     = length(var.primary_instance_types) >= 1
    error_message = "Give at least one instance type."
  }
}

variable "core_instance_types" {
  description = "Instance types for the core nodes. Several make spot capacity likelier."
  type        = list(string)
  default     = ["r7g.2xlarge", "r6g.2xlarge", "m7g.2xlarge"]

  validation {
    condition     = length(var.core_instance_types) >= 1
    error_message = "Give at least one instance type."
  }
}

variable "core_on_demand" {
  description = "On-demand core nodes at the start."
  type        = number
  default     = 1

  validation {
    condition     = var.core_on_demand >= 1
    error_message = "Give at least one: HDFS keeps its blocks there."
  }
}

variable "core_spot" {
  description = "Spot core nodes at the start."
  type        = number
  default     = 0

  validation {
    condition     = var.core_spot >= 0
    error_message = "Give a number from 0."
  }
}

variable "maximum_units" {
  description = "Most core and task nodes that managed scaling starts."
  type        = number
  default     = 8

  validation {
    condition     = var.maximum_units >= 1
    error_message = "Use at least one node."
  }
}

variable "step_concurrency" {
  description = "Steps that run at the same time. Runs of one lake are safe at the same time, but repeat each other's planning."
  type        = number
  default     = 1

  validation {
    condition     = var.step_concurrency >= 1 && var.step_concurrency <= 256
    error_message = "Give 1 to 256."
  }
}

variable "idle_minutes" {
  description = "Minutes without a step after which the cluster ends by itself."
  type        = number
  default     = 60

  validation {
    condition     = var.idle_minutes >= 1 && var.idle_minutes <= 10080
    error_message = "Give 1 to 10080 minutes."
  }
}

variable "termination_protection" {
  description = "Whether the cluster is protected from being ended by mistake. It then does not end by itself either."
  type        = bool
  default     = false
}
