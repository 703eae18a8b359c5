output "application_id" {
  description = "Id of the application."
  value       = aws_emrserverless_application.this.id
}

output "application_arn" {
  description = "ARN of the application."
  value       = aws_emrserverless_application.this.arn
}

output "release_label" {
  description = "EMR release of the application."
  value       = aws_emrserverless_application.this.release_label
}

output "architecture" {
  description = "CPU architecture of the application's workers."
  value       = aws_emrserverless_application.this.architecture
}

output "log_group" {
  description = "Name of the log group for job logs."
  value       = aws_cloudwatch_log_group.this.name
}
