output "environment_yaml" {
  description = "Content of conf/environments/<environment>.yaml: terraform output -raw environment_yaml"
  value       = module.platform.environment_yaml
}

output "lake_bucket" {
  description = "Name of the lake bucket."
  value       = module.platform.lake_bucket
}

output "artifacts_bucket" {
  description = "Name of the bucket to which headgate deploy uploads."
  value       = module.platform.artifacts_bucket
}

output "current_package" {
  description = "Address of the object that names the deployed package; the arrival function reads it."
  value       = module.platform.current_package
}

output "logs_bucket" {
  description = "Name of the bucket for EMR logs, Athena results and audit logs."
  value       = module.platform.logs_bucket
}

output "queue_url" {
  description = "URL of the queue of landing events."
  value       = module.platform.queue_url
}

output "dead_letter_queue_url" {
  description = "URL of the dead-letter queue."
  value       = module.platform.dead_letter_queue_url
}

output "topic_arns" {
  description = "ARNs of the topics: notifications and alarms."
  value       = module.platform.topic_arns
}

output "application_id" {
  description = "Id of the EMR Serverless application."
  value       = module.platform.application_id
}

output "cluster_id" {
  description = "Id of the EMR on EC2 cluster; null where there is none."
  value       = module.platform.cluster_id
}

output "role_arns" {
  description = "ARNs of the component roles."
  value       = module.platform.role_arns
}

output "people_role_arns" {
  description = "ARNs of the roles for people and stores that exist."
  value       = module.platform.people_role_arns
}

output "github_role_arns" {
  description = "ARNs of the roles for GitHub Actions: plan, apply, deploy; null without GitHub."
  value       = module.platform.github_role_arns
}

output "secret_names" {
  description = "Names of the secrets, as the AWS CLI takes them."
  value       = module.platform.secret_names
}

output "repository_urls" {
  description = "Addresses of the image repositories."
  value       = module.platform.repository_urls
}

output "gold_database" {
  description = "Name of the Glue database of gold."
  value       = module.platform.gold_database
}

output "workgroups" {
  description = "Names of the Athena workgroups."
  value       = module.platform.workgroups
}

output "query_names" {
  description = "Names of the Athena named queries."
  value       = module.platform.query_names
}

output "dns_name" {
  description = "DNS name of the load balancer; null without services."
  value       = module.platform.dns_name
}

output "ecs_cluster" {
  description = "Name of the ECS cluster; null without services."
  value       = module.platform.ecs_cluster
}

output "airflow_url" {
  description = "Address of Airflow's web server; null without MWAA."
  value       = module.platform.airflow_url
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = module.platform.dashboard_name
}

output "kms_key_arn" {
  description = "ARN of the environment's KMS key."
  value       = module.platform.kms_key_arn
}

output "log_groups" {
  description = "Names of the log groups by component."
  value       = module.platform.log_groups
}

output "service_names" {
  description = "Names of the ECS services that exist."
  value       = module.platform.service_names
}
