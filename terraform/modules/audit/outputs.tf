output "trail_arn" {
  description = "ARN of the trail."
  value       = aws_cloudtrail.this.arn
}

output "log_group" {
  description = "Name of the audit log group."
  value       = aws_cloudwatch_log_group.this.name
}
