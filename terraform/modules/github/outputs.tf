output "role_arns" {
  description = "ARNs of the roles plan, apply and deploy, for the repository's variables."
  value       = { for name, role in aws_iam_role.this : name => role.arn }
}

output "boundary_arn" {
  description = "ARN of the permissions boundary."
  value       = aws_iam_policy.boundary.arn
}
