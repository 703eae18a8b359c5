output "listener_arn" {
  description = "ARN of the HTTPS listener, to which services add rules."
  value       = aws_lb_listener.https.arn
}

output "load_balancer_arn_suffix" {
  description = "The load balancer's name in CloudWatch metrics."
  value       = aws_lb.this.arn_suffix
}

output "dns_name" {
  description = "DNS name of the load balancer: point the host name of the certificate at it."
  value       = aws_lb.this.dns_name
}

output "zone_id" {
  description = "Hosted zone of the load balancer, for an alias record."
  value       = aws_lb.this.zone_id
}

output "cluster_arn" {
  description = "ARN of the ECS cluster."
  value       = aws_ecs_cluster.this.arn
}

output "cluster_name" {
  description = "Name of the ECS cluster."
  value       = aws_ecs_cluster.this.name
}

output "web_acl_name" {
  description = "Name of the WAF web ACL, as in its metrics."
  value       = aws_wafv2_web_acl.this.name
}

output "waf_log_group" {
  description = "Name of WAF's log group."
  value       = aws_cloudwatch_log_group.waf.name
}

output "ec2_capacity_provider" {
  description = "Name of the EC2 capacity provider; null without EC2."
  value       = one(aws_ecs_capacity_provider.ec2[*].name)
}
