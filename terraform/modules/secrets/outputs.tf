output "arns" {
  description = "ARNs of the secrets by name."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
}

output "names" {
  description = "Full names of the secrets by short name, as the AWS CLI takes them."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.name }
}
