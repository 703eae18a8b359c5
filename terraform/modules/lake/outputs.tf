output "lake_bucket" {
  description = "Name of the lake bucket: landing, bronze, silver and gold are prefixes of it."
  value       = module.lake.name
}

output "lake_bucket_arn" {
  description = "ARN of the lake bucket."
  value       = module.lake.arn
}

output "artifacts_bucket" {
  description = "Name of the bucket for deployed packages, DAGs and the Lambda archive."
  value       = module.artifacts.name
}

output "artifacts_bucket_arn" {
  description = "ARN of the artifacts bucket."
  value       = module.artifacts.arn
}

output "logs_bucket" {
  description = "Name of the bucket for EMR logs, Athena results and audit logs."
  value       = module.logs.name
}

output "logs_bucket_arn" {
  description = "ARN of the logs bucket."
  value       = module.logs.arn
}

output "access_logs_bucket" {
  description = "Name of the bucket for S3 and load balancer access logs."
  value       = module.access_logs.name
}

output "create_only_prefixes" {
  description = "Key patterns of the lake below which S3 refuses a write without If-None-Match."
  value       = local.create_only
}
