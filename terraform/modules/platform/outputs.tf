output "lake_bucket" {
  description = "Name of the lake bucket."
  value       = module.lake.lake_bucket
}

output "artifacts_bucket" {
  description = "Name of the bucket to which headgate deploy uploads."
  value       = module.lake.artifacts_bucket
}

output "current_package" {
  description = "Address of the object that names the deployed package; the arrival function reads it."
  value       = "s3://${module.lake.artifacts_bucket}/${local.current_key}"
}

output "logs_bucket" {
  description = "Name of the bucket for EMR logs, Athena results and audit logs."
  value       = module.lake.logs_bucket
}

output "queue_url" {
  description = "URL of the queue of landing events."
  value       = module.events.queue_url
}

output "dead_letter_queue_url" {
  description = "URL of the dead-letter queue."
  value       = module.events.dead_letter_queue_url
}

output "topic_arns" {
  description = "ARNs of the topics: notifications and alarms."
  value       = module.events.topic_arns
}

output "application_id" {
  description = "Id of the EMR Serverless application."
  value       = module.emr_serverless.application_id
}

output "cluster_id" {
  description = "Id of the EMR on EC2 cluster; null where there is none."
  value       = one(module.emr_ec2[*].cluster_id)
}

output "role_arns" {
  description = "ARNs of the component roles."
  value       = module.access.role_arns
}

output "people_role_arns" {
  description = "ARNs of the roles for people and stores that exist."
  value       = module.people.role_arns
}

output "github_role_arns" {
  description = "ARNs of the roles for GitHub Actions: plan, apply, deploy; null without GitHub."
  value       = one(module.github[*].role_arns)
}

output "secret_names" {
  description = "Names of the secrets, as the AWS CLI takes them."
  value       = module.secrets.names
}

output "repository_urls" {
  description = "Addresses of the image repositories."
  value       = module.ecr.repository_urls
}

output "gold_database" {
  description = "Name of the Glue database of gold."
  value       = module.catalog.databases["gold"]
}

output "workgroups" {
  description = "Names of the Athena workgroups."
  value       = module.catalog.workgroups
}

output "query_names" {
  description = "Names of the Athena named queries."
  value       = module.catalog.query_names
}

output "dns_name" {
  description = "DNS name of the load balancer; null without services."
  value       = one(module.edge[*].dns_name)
}

output "ecs_cluster" {
  description = "Name of the ECS cluster; null without services."
  value       = one(module.edge[*].cluster_name)
}

output "airflow_url" {
  description = "Address of Airflow's web server; null without MWAA."
  value       = one(module.mwaa[*].web_server_url)
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = module.monitoring.dashboard_name
}

output "kms_key_arn" {
  description = "ARN of the environment's KMS key."
  value       = module.encryption.key_arn
}

output "log_groups" {
  description = "Names of the log groups by component."
  value = merge(
    {
      audit    = module.audit.log_group
      engine   = module.emr_serverless.log_group
      vpc_flow = module.network.flow_log_group
    },
    { for name, service in module.service : name => service.log_group },
    { for index, group in module.trigger[*].log_group : "trigger" => group },
    { for index, group in module.edge[*].waf_log_group : "waf" => group },
  )
}

output "service_names" {
  description = "Names of the ECS services that exist."
  value       = [for service in module.service : service.service_name]
}
