output "server_id" {
  description = "Id of the SFTP server."
  value       = aws_transfer_server.this.id
}

output "endpoint" {
  description = "Host name of the SFTP server."
  value       = aws_transfer_server.this.endpoint
}
