output "data_source_arn" {
  description = "ARN of the data source."
  value       = aws_quicksight_data_source.this.arn
}
