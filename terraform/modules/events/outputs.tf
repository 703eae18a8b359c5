output "queue_url" {
  description = "URL of the queue of landing events."
  value       = aws_sqs_queue.landing.url
}

output "queue_arn" {
  description = "ARN of the queue of landing events. Its policy, which lets S3 send, is in place."
  value       = aws_sqs_queue.landing.arn
  depends_on  = [aws_sqs_queue_policy.landing]
}

output "queue_name" {
  description = "Name of the queue of landing events."
  value       = aws_sqs_queue.landing.name
}

output "dead_letter_queue_url" {
  description = "URL of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.url
}

output "dead_letter_queue_arn" {
  description = "ARN of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.arn
}

output "dead_letter_queue_name" {
  description = "Name of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.name
}

output "topic_arns" {
  description = "ARNs of the topics: notifications and alarms."
  value       = { for name, topic in aws_sns_topic.this : name => topic.arn }
}
