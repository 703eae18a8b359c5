output "repository_urls" {
  description = "Addresses of the repositories by name."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.repository_url }
}

output "repository_arns" {
  description = "ARNs of the repositories by name."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.arn }
}
