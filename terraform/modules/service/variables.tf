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

variable "log_retention_days" {
  description = "Days that CloudWatch keeps the logs."
  type        = number
  default     = 365

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch accepts 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731 and more days, as its API lists them."
  }
}

variable "image_uri" {
  description = "Image in ECR, by digest: REPOSITORY@sha256:..."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image_uri))
    error_message = "Name the image by digest, so that a deployment is reproducible: REPOSITORY@sha256:..."
  }
}

variable "tags" {
  description = "Tags for every resource of the module."
  type        = map(string)
  default     = {}
}

variable "name" {
  description = "Name of the service: receiver or read-api."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z-]{1,18}[a-z]$", var.name))
    error_message = "Use lower-case letters and hyphens, at most 20."
  }
}

variable "command" {
  description = "Arguments of the container. An empty list uses the image's own."
  type        = list(string)
  default     = []
}

variable "environment" {
  description = "Environment variables of the container. No secrets: those are read from Secrets Manager by name."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.environment) : !can(regex("(PASSWORD|SECRET_ACCESS_KEY|TOKEN)", name))])
    error_message = "An environment variable must not hold a secret."
  }
}

variable "secrets" {
  description = "Environment variables that ECS reads from Secrets Manager: ARNs of secrets by variable."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for arn in values(var.secrets) : can(regex("^arn:[a-z-]+:secretsmanager:", arn))])
    error_message = "Give ARNs of secrets."
  }
}

variable "port" {
  description = "Port on which the container listens."
  type        = number

  validation {
    condition     = var.port >= 1024 && var.port <= 65535
    error_message = "Give an unprivileged port."
  }
}

variable "health_path" {
  description = "Path that answers 200 when the service can work."
  type        = string
  default     = "/readyz"

  validation {
    condition     = startswith(var.health_path, "/")
    error_message = "Give a path, such as /readyz."
  }
}

variable "path_patterns" {
  description = "URL paths that the load balancer sends to this service."
  type        = list(string)

  validation {
    condition     = length(var.path_patterns) >= 1 && length(var.path_patterns) <= 5
    error_message = "A listener rule takes one to five paths."
  }
}

variable "priority" {
  description = "Priority of the listener rule; a smaller number is tried first."
  type        = number

  validation {
    condition     = var.priority >= 1 && var.priority <= 50000
    error_message = "Give 1 to 50000."
  }
}

variable "cpu" {
  description = "CPU units of one task; 1024 are one vCPU."
  type        = number
  default     = 1024

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.cpu)
    error_message = "Fargate accepts 256, 512, 1024, 2048, 4096, 8192 and 16384."
  }
}

variable "memory_mb" {
  description = "Memory of one task, in MB."
  type        = number
  default     = 2048

  validation {
    condition     = var.memory_mb >= 512
    error_message = "Give at least 512 MB."
  }
}

variable "architecture" {
  description = "CPU architecture of the image."
  type        = string
  default     = "ARM64"

  validation {
    condition     = contains(["ARM64", "X86_64"], var.architecture)
    error_message = "Give ARM64 or X86_64."
  }
}

variable "minimum" {
  description = "Fewest tasks. Two or more survive the loss of a zone."
  type        = number
  default     = 2

  validation {
    condition     = var.minimum >= 1
    error_message = "Give at least one task."
  }
}

variable "maximum" {
  description = "Most tasks."
  type        = number
  default     = 6

  validation {
    condition     = var.maximum >= var.minimum
    error_message = "The maximum must be at least the minimum."
  }
}

variable "start_role_arn" {
  description = "ARN of the role with which ECS starts the task: pulls the image, writes logs."
  type        = string

  validation {
    condition     = can(regex("^arn:", var.start_role_arn))
    error_message = "Give an ARN."
  }
}

variable "task_role_arn" {
  description = "ARN of the role of the code in the container."
  type        = string

  validation {
    condition     = can(regex("^arn:", var.task_role_arn))
    error_message = "Give an ARN."
  }
}

variable "listener_arn" {
  description = "ARN of the HTTPS listener, from the edge module."
  type        = string

  validation {
    condition     = can(regex("^arn:", var.listener_arn))
    error_message = "Give an ARN."
  }
}

variable "cluster_arn" {
  description = "ARN of the ECS cluster, from the edge module."
  type        = string

  validation {
    condition     = can(regex("^arn:", var.cluster_arn))
    error_message = "Give an ARN."
  }
}

variable "cluster_name" {
  description = "Name of the ECS cluster, from the edge module."
  type        = string

  validation {
    condition     = length(var.cluster_name) >= 1
    error_message = "Give a name."
  }
}

variable "capacity_provider" {
  description = "Name of an EC2 capacity provider. Null runs the tasks on Fargate."
  type        = string
  default     = null
}
