output "cluster_id" {
  description = "Id of the cluster, j-..."
  value       = aws_emr_cluster.this.id
}

output "cluster_arn" {
  description = "ARN of the cluster."
  value       = aws_emr_cluster.this.arn
}
