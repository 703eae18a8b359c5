# Alarms and one dashboard. An alarm is only made where its component exists.

locals {
  queue_alarms = {
    dead-letters = {
      description = "Landing events could not be processed: headgate admin dlq list. docs/operate/replay.md"
      queue       = var.dead_letter_queue_name
      metric      = "ApproximateNumberOfMessagesVisible"
      threshold   = 0
      periods     = 1
    }
    landing-backlog = {
      description = "Landing events wait for longer than ${var.backlog_minutes} minutes: runs on arrival do not start or do not end."
      queue       = var.queue_name
      metric      = "ApproximateAgeOfOldestMessage"
      threshold   = var.backlog_minutes * 60
      periods     = 2
    }
  }

  service_alarms = merge([
    for name, service in var.services : {
      "${name}-5xx" = {
        description = "${name}: more than 1 % of the requests failed. docs/operate/README.md"
        service     = service
        kind        = "errors"
      }
      "${name}-unhealthy" = {
        description = "${name}: unhealthy tasks for 5 minutes."
        service     = service
        kind        = "unhealthy"
      }
      "${name}-slow" = {
        description = "${name}: P99 of the response time above ${service.slow_seconds} s for 10 minutes."
        service     = service
        kind        = "slow"
      }
    }
  ]...)
}

resource "aws_cloudwatch_metric_alarm" "queue" {
  for_each = local.queue_alarms

  alarm_name          = "${var.name_prefix}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/SQS"
  metric_name         = each.value.metric
  dimensions          = { QueueName = each.value.queue }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = each.value.periods
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = { for name, alarm in local.service_alarms : name => alarm if alarm.kind == "errors" }

  alarm_name          = "${var.name_prefix}-${each.key}"
  alarm_description   = each.value.description
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
  tags                = var.tags

  metric_query {
    id          = "share"
    label       = "Failed requests, %"
    expression  = "100 * FILL(failed, 0) / FILL(total, 1)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { failed = "HTTPCode_Target_5XX_Count", total = "RequestCount" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        stat        = "Sum"
        period      = 300
        dimensions  = { LoadBalancer = var.load_balancer, TargetGroup = each.value.service.target_group }
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "unhealthy" {
  for_each = { for name, alarm in local.service_alarms : name => alarm if alarm.kind == "unhealthy" }

  alarm_name          = "${var.name_prefix}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/ApplicationELB"
  metric_name         = "UnHealthyHostCount"
  dimensions          = { LoadBalancer = var.load_balancer, TargetGroup = each.value.service.target_group }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "slow" {
  for_each = { for name, alarm in local.service_alarms : name => alarm if alarm.kind == "slow" }

  alarm_name          = "${var.name_prefix}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/ApplicationELB"
  metric_name         = "TargetResponseTime"
  dimensions          = { LoadBalancer = var.load_balancer, TargetGroup = each.value.service.target_group }
  extended_statistic  = "p99"
  period              = 300
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.service.slow_seconds
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]
  tags                = var.tags
}

# A failed run is reported by Airflow. This alarm also covers runs that Airflow did not start.
resource "aws_cloudwatch_event_rule" "failed_jobs" {
  name        = "${var.name_prefix}-failed-jobs"
  description = "EMR Serverless job runs that failed or were cancelled"
  tags        = var.tags

  event_pattern = jsonencode({
    source        = ["aws.emr-serverless"]
    "detail-type" = ["EMR Serverless Job Run State Change"]
    detail = {
      applicationId = [var.application_id]
      state         = ["FAILED", "CANCELLED"]
    }
  })
}

resource "aws_cloudwatch_event_target" "failed_jobs" {
  rule = aws_cloudwatch_event_rule.failed_jobs.name
  arn  = var.alarm_topic_arn
}

resource "aws_cloudwatch_metric_alarm" "capacity" {
  alarm_name          = "${var.name_prefix}-engine-capacity"
  alarm_description   = "EMR Serverless uses more than 90 % of its vCPU limit for 30 minutes: runs wait. docs/operate/cost.md"
  namespace           = "AWS/EMRServerless"
  metric_name         = "CPUAllocated"
  dimensions          = { ApplicationId = var.application_id }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 6
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.maximum_vcpu * 0.9
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  tags                = var.tags
}

# Uploads arrive every day in a running business: none at all for a day means that the way in is broken.
resource "aws_cloudwatch_metric_alarm" "no_uploads" {
  count = var.expect_uploads ? 1 : 0

  alarm_name          = "${var.name_prefix}-no-uploads"
  alarm_description   = "No landing event for 24 hours. Check the receiver and the stores."
  namespace           = "AWS/SQS"
  metric_name         = "NumberOfMessagesSent"
  dimensions          = { QueueName = var.queue_name }
  statistic           = "Sum"
  period              = 86400
  evaluation_periods  = 1
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [var.alarm_topic_arn]
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "trigger_errors" {
  count = var.trigger_function_name == null ? 0 : 1

  alarm_name          = "${var.name_prefix}-trigger-errors"
  alarm_description   = "The arrival function fails. Uploads are kept; runs on arrival do not start."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = var.trigger_function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "airflow" {
  count = var.airflow_name == null ? 0 : 1

  alarm_name          = "${var.name_prefix}-airflow-scheduler"
  alarm_description   = "Airflow's scheduler sends no heartbeat: nothing is scheduled."
  namespace           = "AmazonMWAA"
  metric_name         = "SchedulerHeartbeat"
  dimensions          = { Function = "Scheduler", Environment = var.airflow_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 2
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [var.alarm_topic_arn]
  tags                = var.tags
}
