mock_provider "aws" {}

variables {
  name_prefix = "headgate-test"
  account_id  = "111111111111"
  tags        = { Project = "headgate", Environment = "test" }
  workgroup   = "headgate-test-analysts"
  user_arns   = ["arn:aws:quicksight:eu-central-1:111111111111:user/default/a"]
}

run "reads_through_the_limited_workgroup" {
  command = plan

  assert {
    condition     = one(aws_quicksight_data_source.this.parameters[0].athena[*].work_group) == "headgate-test-analysts"
    error_message = "QuickSight queries without limits."
  }

  assert {
    condition     = !one(aws_quicksight_data_source.this.ssl_properties[*].disable_ssl)
    error_message = "TLS is off."
  }
}
