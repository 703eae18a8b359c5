output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "Ids of the private subnets, one per zone."
  value       = aws_subnet.private[*].id
}

output "public_subnet_ids" {
  description = "Ids of the public subnets, one per zone; empty without public subnets."
  value       = aws_subnet.public[*].id
}

output "security_group_ids" {
  description = "Ids of the security groups by name: load_balancer, receiver, read_api, engine, airflow, trigger, warehouse, endpoints."
  value       = { for name, group in aws_security_group.this : name => group.id }
}

output "flow_log_group" {
  description = "Name of the log group of VPC flow logs."
  value       = aws_cloudwatch_log_group.flow.name
}

output "s3_endpoint_id" {
  description = "Id of the S3 gateway endpoint."
  value       = aws_vpc_endpoint.s3.id
}
