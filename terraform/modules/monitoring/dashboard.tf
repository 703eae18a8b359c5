locals {
  service_widgets = flatten([
    for index, name in sort(keys(var.services)) : [
      {
        type = "metric", x = 0, y = 6 + 6 * index, width = 12, height = 6
        properties = {
          title = "${name}: requests and failures", region = var.region, stat = "Sum", period = 60
          metrics = [
            for metric in ["RequestCount", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count"] :
            ["AWS/ApplicationELB", metric, "LoadBalancer", var.load_balancer, "TargetGroup", var.services[name].target_group]
          ]
        }
      },
      {
        type = "metric", x = 12, y = 6 + 6 * index, width = 12, height = 6
        properties = {
          title = "${name}: response time, seconds", region = var.region, period = 60
          metrics = [
            for stat in ["p50", "p95", "p99"] :
            ["AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", var.load_balancer, "TargetGroup", var.services[name].target_group, { stat = stat }]
          ]
        }
      },
    ]
  ])

  widgets = concat(
    [
      {
        type = "metric", x = 0, y = 0, width = 12, height = 6
        properties = {
          title = "Landing events: waiting, oldest (s), dead letters", region = var.region, stat = "Maximum", period = 60
          metrics = [
            ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.queue_name],
            ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.queue_name],
            ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.dead_letter_queue_name],
          ]
        }
      },
      {
        type = "metric", x = 12, y = 0, width = 12, height = 6
        properties = {
          title = "Engine: vCPUs and memory (GB)", region = var.region, stat = "Maximum", period = 60
          metrics = [
            ["AWS/EMRServerless", "CPUAllocated", "ApplicationId", var.application_id],
            ["AWS/EMRServerless", "MemoryAllocated", "ApplicationId", var.application_id],
          ]
        }
      },
    ],
    local.service_widgets,
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name_prefix
  dashboard_body = jsonencode({ widgets = local.widgets })
}
