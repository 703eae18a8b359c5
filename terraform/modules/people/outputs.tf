output "role_arns" {
  description = "ARNs of the roles that exist: analyst, engineer, operator, store."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}
