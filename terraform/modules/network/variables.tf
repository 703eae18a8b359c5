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

variable "partition" {
  description = "AWS partition of the account."
  type        = string
  default     = "aws"

  validation {
    condition     = contains(["aws", "aws-cn", "aws-us-gov"], var.partition)
    error_message = "Give aws, aws-cn or aws-us-gov."
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

variable "cidr" {
  description = "Address range of the VPC."
  type        = string
  default     = "10.40.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]) <= 20, false)
    error_message = "Give an IPv4 range of /20 or larger, such as 10.40.0.0/16."
  }
}

variable "availability_zones" {
  description = "Availability zones, two or three. Each gets one private subnet."
  type        = list(string)

  validation {
    condition     = length(var.availability_zones) >= 2 && length(var.availability_zones) <= 3
    error_message = "Give two or three availability zones."
  }
}

variable "public_subnets" {
  description = "Whether there are public subnets, which an internet-facing load balancer or NAT needs."
  type        = bool
  default     = true
}

variable "nat_gateways" {
  description = "NAT gateways: none (interface endpoints only), single, or one per zone."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "single", "per_zone"], var.nat_gateways)
    error_message = "Give none, single or per_zone."
  }
}

variable "interface_endpoints" {
  description = "AWS services that are reached by an interface endpoint. Each costs about 8 USD a month per zone."
  type        = set(string)
  default = [
    "athena", "ecr.api", "ecr.dkr", "elasticmapreduce", "emr-serverless", "glue", "kms", "logs", "monitoring", "secretsmanager", "sns", "sqs",
    "sts",
  ]

  validation {
    condition     = alltrue([for name in var.interface_endpoints : can(regex("^[a-z0-9.-]+$", name))])
    error_message = "Give service names without the com.amazonaws.REGION prefix, such as sqs."
  }
}

variable "endpoint_zones" {
  description = "Where interface endpoints have an address: in a single zone (cheaper) or in all."
  type        = string
  default     = "all"

  validation {
    condition     = contains(["single", "all"], var.endpoint_zones)
    error_message = "Give single or all."
  }
}

variable "trusted_account_ids" {
  description = "Accounts whose buckets can be reached through the S3 endpoint."
  type        = list(string)

  validation {
    condition     = length(var.trusted_account_ids) >= 1 && alltrue([for id in var.trusted_account_ids : can(regex("^[0-9]{12}$", id))])
    error_message = "Give at least the own account id, of 12 digits."
  }
}

variable "allowed_cidrs" {
  description = "Networks that may connect to the load balancer by HTTPS. 0.0.0.0/0 opens it to the internet, behind WAF."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.allowed_cidrs : can(cidrhost(cidr, 0))])
    error_message = "Give IPv4 ranges, such as 203.0.113.0/24."
  }
}

variable "receiver_port" {
  description = "Port on which receiver tasks listen."
  type        = number
  default     = 8080

  validation {
    condition     = var.receiver_port >= 1024 && var.receiver_port <= 65535
    error_message = "Give an unprivileged port."
  }
}

variable "read_api_port" {
  description = "Port on which read API tasks listen."
  type        = number
  default     = 8081

  validation {
    condition     = var.read_api_port >= 1024 && var.read_api_port <= 65535
    error_message = "Give an unprivileged port."
  }
}
