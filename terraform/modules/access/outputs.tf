output "role_arns" {
  description = "ARNs of the component roles: receiver, read_api, task_start, engine, orchestration, trigger."
  value       = { for component, role in aws_iam_role.this : component => role.arn }

  # A role is of use only with its policy.
  depends_on = [aws_iam_role_policy.this]
}

output "role_names" {
  description = "Names of the component roles."
  value       = { for component, role in aws_iam_role.this : component => role.name }
}

output "emr_service_role_arn" {
  description = "ARN of the service role of EMR on EC2; null where it is not used."
  value       = var.emr_on_ec2 ? aws_iam_role.emr_service[0].arn : null
}
