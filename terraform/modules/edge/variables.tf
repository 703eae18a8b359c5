variable "name_prefix" {
  description = "Prefix of resource names, such as headgate-dev."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name_prefix))
    error_message = "Use 3 to 31 lower-case letters, digits and hyphens."
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

variable "kms_key_arn" {
  description = "ARN of the environment's KMS key."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:", var.kms_key_arn))
    error_message = "Give the ARN of a KMS key."
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

variable "certificate_arn" {
  description = "ARN of the ACM certificate of the load balancer's host name."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:acm:", var.certificate_arn))
    error_message = "Give the ARN of an ACM certificate."
  }
}

variable "tags" {
  description = "Tags for every resource of the module."
  type        = map(string)
  default     = {}
}

variable "subnet_ids" {
  description = "Subnets of the load balancer: public ones, or private ones where it is internal."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "A load balancer needs subnets in two zones."
  }
}

variable "internal" {
  description = "Whether the load balancer has private addresses only."
  type        = bool
  default     = false
}

variable "deletion_protection" {
  description = "Whether the load balancer is protected from deletion."
  type        = bool
  default     = true
}

variable "access_logs_bucket" {
  description = "Name of the bucket for access logs, below alb/."
  type        = string

  validation {
    condition     = length(var.access_logs_bucket) >= 3
    error_message = "Give a bucket name."
  }
}

variable "requests_per_5_minutes" {
  description = "Requests from one address in five minutes, above which WAF answers 429. A shop's stores may share an address."
  type        = number
  default     = 20000

  validation {
    condition     = var.requests_per_5_minutes >= 100 && var.requests_per_5_minutes <= 2000000000
    error_message = "WAF accepts 100 and more."
  }
}

variable "ec2" {
  description = "EC2 capacity for the services: AMI, instance type, sizes, subnets, security groups. Null: Fargate only."
  type = object({
    image_id           = string
    instance_type      = string
    minimum            = number
    maximum            = number
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null

  validation {
    condition     = var.ec2 == null ? true : var.ec2.minimum <= var.ec2.maximum && startswith(var.ec2.image_id, "ami-")
    error_message = "Give an AMI id (ami-...), and a minimum that is at most the maximum."
  }
}
