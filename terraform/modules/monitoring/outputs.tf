output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "alarm_names" {
  description = "Names of all alarms of this module."
  value = sort(concat(
    [for alarm in aws_cloudwatch_metric_alarm.queue : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.errors : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.unhealthy : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.slow : alarm.alarm_name],
    [aws_cloudwatch_metric_alarm.capacity.alarm_name],
    aws_cloudwatch_metric_alarm.no_uploads[*].alarm_name,
    aws_cloudwatch_metric_alarm.trigger_errors[*].alarm_name,
    aws_cloudwatch_metric_alarm.airflow[*].alarm_name,
  ))
}
