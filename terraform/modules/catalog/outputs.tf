output "databases" {
  description = "Names of the Glue databases by layer."
  value       = { for layer, database in aws_glue_catalog_database.this : layer => database.name }
}

output "workgroups" {
  description = "Names of the Athena workgroups by short name."
  value       = { for name, workgroup in aws_athena_workgroup.this : name => workgroup.name }
}

output "workgroup_arns" {
  description = "ARNs of the Athena workgroups by short name."
  value       = { for name, workgroup in aws_athena_workgroup.this : name => workgroup.arn }
}

output "query_names" {
  description = "Names of the named queries."
  value       = keys(aws_athena_named_query.this)
}
