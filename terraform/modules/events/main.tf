# S3 events of new uploads: a queue with a dead-letter queue; and the topics for notifications.

locals {
  queue_name = "${var.name_prefix}-landing"
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${local.queue_name}-dead-letters"
  message_retention_seconds = 14 * 24 * 3600
  kms_master_key_id         = var.kms_key_arn
  tags                      = var.tags
}

resource "aws_sqs_queue" "landing" {
  name                       = local.queue_name
  visibility_timeout_seconds = var.visibility_timeout_seconds
  message_retention_seconds  = var.retention_hours * 3600
  receive_wait_time_seconds  = 20
  kms_master_key_id          = var.kms_key_arn
  tags                       = var.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.max_receive_count
  })
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.landing.arn]
  })
}

resource "aws_sqs_queue_policy" "landing" {
  queue_url = aws_sqs_queue.landing.id

  policy = templatefile("${path.module}/policies/queue.json", {
    queue_arn  = "arn:${var.partition}:sqs:${var.region}:${var.account_id}:${local.queue_name}"
    bucket_arn = "arn:${var.partition}:s3:::${var.lake_bucket_name}"
    account_id = var.account_id
  })
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyInsecureTransport"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = aws_sqs_queue.dead_letters.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_sns_topic" "this" {
  for_each = toset(["notifications", "alarms"])

  name              = "${var.name_prefix}-${each.key}"
  kms_master_key_id = var.kms_key_arn
  tags              = var.tags
}

resource "aws_sns_topic_policy" "this" {
  for_each = aws_sns_topic.this

  arn = each.value.arn

  policy = templatefile("${path.module}/policies/topic.json", {
    topic_arn  = each.value.arn
    account_id = var.account_id
  })
}

resource "aws_sns_topic_subscription" "alarms" {
  for_each = var.alarm_emails

  topic_arn = aws_sns_topic.this["alarms"].arn
  protocol  = "email"
  endpoint  = each.value
}

# Headgate sends every notification with its kind as a message attribute; an address gets the kinds that it asks for.
resource "aws_sns_topic_subscription" "notifications" {
  for_each = var.notification_emails

  topic_arn     = aws_sns_topic.this["notifications"].arn
  protocol      = "email"
  endpoint      = each.key
  filter_policy = jsonencode({ kind = each.value })
}
