output "endpoint" {
  description = "Host name of the workgroup."
  value       = aws_redshiftserverless_workgroup.this.endpoint
}

output "workgroup_name" {
  description = "Name of the workgroup."
  value       = aws_redshiftserverless_workgroup.this.workgroup_name
}
