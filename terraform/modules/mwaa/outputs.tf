output "name" {
  description = "Name of the environment."
  value       = aws_mwaa_environment.this.name
}

output "arn" {
  description = "ARN of the environment."
  value       = aws_mwaa_environment.this.arn
}

output "web_server_url" {
  description = "Address of Airflow's web server."
  value       = aws_mwaa_environment.this.webserver_url
}
