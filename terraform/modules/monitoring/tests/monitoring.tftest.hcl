mock_provider "aws" {}

variables {
  name_prefix            = "headgate-test"
  region                 = "eu-central-1"
  alarm_topic_arn        = "arn:aws:sns:eu-central-1:111111111111:headgate-test-alarms"
  tags                   = { Project = "headgate", Environment = "test" }
  queue_name             = "landing"
  dead_letter_queue_name = "dead"
  application_id         = "00abc"
  maximum_vcpu           = 32
  load_balancer          = "app/x/1"
  services               = { receiver = { target_group = "targetgroup/x/1", slow_seconds = 2 } }
  expect_uploads         = true
  trigger_function_name  = "trigger"
  airflow_name           = "airflow"
}

run "alarms_are_present" {
  command = plan

  assert {
    condition     = toset(output.alarm_names) == toset(["headgate-test-dead-letters", "headgate-test-landing-backlog", "headgate-test-receiver-5xx", "headgate-test-receiver-unhealthy", "headgate-test-receiver-slow", "headgate-test-engine-capacity", "headgate-test-no-uploads", "headgate-test-trigger-errors", "headgate-test-airflow-scheduler"])
    error_message = "An alarm is missing."
  }

  assert {
    condition     = alltrue([for a in aws_cloudwatch_metric_alarm.queue : a.alarm_actions == toset([var.alarm_topic_arn])])
    error_message = "An alarm reaches nobody."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.queue["dead-letters"].threshold == 0
    error_message = "The first dead letter must alarm."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.failed_jobs.event_pattern).detail.applicationId == ["00abc"]
    error_message = "Failed jobs are not reported."
  }

  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 4
    error_message = "The dashboard lacks a widget."
  }
}

run "components_that_do_not_exist_have_no_alarm" {
  command = plan

  variables {
    services              = {}
    load_balancer         = null
    expect_uploads        = false
    trigger_function_name = null
    airflow_name          = null
  }

  assert {
    condition     = length(output.alarm_names) == 3
    error_message = "There are alarms without a component."
  }
}
