mock_provider "aws" {}

variables {
  name_prefix     = "headgate-test"
  alarm_topic_arn = "arn:aws:sns:eu-central-1:111111111111:headgate-test-alarms"
  tags            = { Project = "headgate", Environment = "test" }
  monthly_usd     = 300
}

run "warns_before_the_limit" {
  command = plan

  assert {
    condition     = aws_budgets_budget.this.limit_amount == "300"
    error_message = "The limit is wrong."
  }

  assert {
    condition     = toset([for n in aws_budgets_budget.this.notification : "${n.notification_type} ${n.threshold}"]) == toset(["ACTUAL 80", "ACTUAL 100", "FORECASTED 110"])
    error_message = "A warning is missing."
  }

  assert {
    condition     = toset(flatten([for f in aws_budgets_budget.this.cost_filter : tolist(f.values)])) == toset(["user:Platform$headgate-test"])
    error_message = "The budget counts other cost."
  }
}
