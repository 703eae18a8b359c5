# CloudTrail: calls of APIs, reads and writes of objects in the lake, with their callers.

resource "aws_cloudtrail" "this" {
  name                          = var.name_prefix
  s3_bucket_name                = var.logs_bucket
  s3_key_prefix                 = "audit"
  kms_key_id                    = var.kms_key_arn
  is_multi_region_trail         = true
  include_global_service_events = true
  enable_log_file_validation    = true
  cloud_watch_logs_group_arn    = "${aws_cloudwatch_log_group.this.arn}:*"
  cloud_watch_logs_role_arn     = aws_iam_role.this.arn
  tags                          = var.tags

  advanced_event_selector {
    name = "management"

    field_selector {
      field  = "eventCategory"
      equals = ["Management"]
    }
  }

  # Reads of landing and writes to every object of the lake. Reads of tables are many and left to S3 access logs.
  dynamic "advanced_event_selector" {
    for_each = {
      landing-reads = { read_only = "true", prefix = "${var.lake_bucket_arn}/landing/" }
      lake-writes   = { read_only = "false", prefix = "${var.lake_bucket_arn}/" }
    }

    content {
      name = advanced_event_selector.key

      field_selector {
        field  = "eventCategory"
        equals = ["Data"]
      }

      field_selector {
        field  = "resources.type"
        equals = ["AWS::S3::Object"]
      }

      field_selector {
        field       = "resources.ARN"
        starts_with = [advanced_event_selector.value.prefix]
      }

      field_selector {
        field  = "readOnly"
        equals = [advanced_event_selector.value.read_only]
      }
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/${var.name_prefix}/audit"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_iam_role" "this" {
  name = "${var.name_prefix}-audit"
  tags = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "CloudTrail"
      Effect    = "Allow"
      Principal = { Service = "cloudtrail.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceArn" = "arn:${var.partition}:cloudtrail:${var.region}:${var.account_id}:trail/${var.name_prefix}" } }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "write-audit-log"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "WriteOwnLogGroup"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${aws_cloudwatch_log_group.this.arn}:*"
    }]
  })
}

# Events that deserve a person's attention. Each is a metric filter and an alarm.
locals {
  watched = {
    root-login       = "{ $.userIdentity.type = \"Root\" && $.eventType != \"AwsServiceEvent\" }"
    trail-changed    = "{ ($.eventName = StopLogging) || ($.eventName = DeleteTrail) || ($.eventName = UpdateTrail) }"
    key-disabled     = "{ ($.eventName = DisableKey) || ($.eventName = ScheduleKeyDeletion) }"
    bucket-policy    = "{ ($.eventName = PutBucketPolicy) || ($.eventName = DeleteBucketPolicy) || ($.eventName = DeletePublicAccessBlock) }"
    upload-deleted   = "{ ($.eventName = DeleteObject*) && ($.requestParameters.key = \"landing/*\") }"
    unauthorized-api = "{ ($.errorCode = \"*UnauthorizedOperation\") || ($.errorCode = \"AccessDenied*\") }"
  }
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each = local.watched

  name           = "${var.name_prefix}-${each.key}"
  log_group_name = aws_cloudwatch_log_group.this.name
  pattern        = each.value

  metric_transformation {
    namespace     = "Headgate/Audit"
    name          = "${var.name_prefix}-${each.key}"
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.watched

  alarm_name          = "${var.name_prefix}-audit-${each.key}"
  alarm_description   = "CloudTrail: ${each.key}. See docs/security.md."
  namespace           = "Headgate/Audit"
  metric_name         = "${var.name_prefix}-${each.key}"
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.key == "unauthorized-api" ? 10 : 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  tags                = var.tags

  depends_on = [aws_cloudwatch_log_metric_filter.this]
}
