output "service_name" {
  description = "Name of the ECS service."
  value       = aws_ecs_service.this.name
}

output "target_group_arn_suffix" {
  description = "The target group's name in CloudWatch metrics."
  value       = aws_lb_target_group.this.arn_suffix
}

output "log_group" {
  description = "Name of the log group."
  value       = aws_cloudwatch_log_group.this.name
}
