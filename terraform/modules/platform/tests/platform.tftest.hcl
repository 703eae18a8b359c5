mock_provider "aws" {
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:111111111111:key/1", key_id = "1" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111111111111:role/headgate-dev-role" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::111111111111:policy/headgate-dev-boundary" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:111111111111:topic" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-central-1:111111111111:queue", url = "https://sqs.eu-central-1.amazonaws.com/111111111111/queue" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::bucket", id = "bucket" }
  }
  mock_resource "aws_emrserverless_application" {
    defaults = { arn = "arn:aws:emr-serverless:eu-central-1:111111111111:/applications/00abc", id = "00abc" }
  }
  mock_resource "aws_athena_workgroup" {
    defaults = { arn = "arn:aws:athena:eu-central-1:111111111111:workgroup/w", id = "w" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-central-1:111111111111:secret:x-AbCdEf" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-central-1:111111111111:rule/x" }
  }
  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::111111111111:instance-profile/x" }
  }
  mock_resource "aws_cloudtrail" {
    defaults = { arn = "arn:aws:cloudtrail:eu-central-1:111111111111:trail/x" }
  }
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::111111111111:oidc-provider/x" }
  }
  mock_resource "aws_mwaa_environment" {
    defaults = { arn = "arn:aws:airflow:eu-central-1:111111111111:environment/x" }
  }
  mock_resource "aws_vpc" {
    defaults = { id = "vpc-1" }
  }
  mock_resource "aws_subnet" {
    defaults = { id = "subnet-1" }
  }
  mock_resource "aws_security_group" {
    defaults = { id = "sg-1" }
  }
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:111111111111:loadbalancer/app/x/1", arn_suffix = "app/x/1" }
  }
  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:111111111111:listener/app/x/1/2" }
  }
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:111111111111:targetgroup/x/1", arn_suffix = "targetgroup/x/1" }
  }
  mock_resource "aws_wafv2_web_acl" {
    defaults = { arn = "arn:aws:wafv2:eu-central-1:111111111111:regional/webacl/x/1" }
  }
  mock_resource "aws_ecs_cluster" {
    defaults = { arn = "arn:aws:ecs:eu-central-1:111111111111:cluster/headgate-dev" }
  }
  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:eu-central-1:111111111111:task-definition/x:1" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:111111111111:log-group:/headgate-dev/x" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-central-1:111111111111:function:x" }
  }
  mock_resource "aws_ce_anomaly_monitor" {
    defaults = { arn = "arn:aws:ce::111111111111:anomalymonitor/1" }
  }
  mock_resource "aws_redshiftserverless_workgroup" {
    defaults = { arn = "arn:aws:redshift-serverless:eu-central-1:111111111111:workgroup/1" }
  }
  mock_resource "aws_kinesis_stream" {
    defaults = { arn = "arn:aws:kinesis:eu-central-1:111111111111:stream/x" }
  }
}

override_resource {
  target = module.lake.module.lake.aws_s3_bucket.this
  values = { id = "headgate-dev-lake-111111111111", arn = "arn:aws:s3:::headgate-dev-lake-111111111111" }
}

override_resource {
  target = module.lake.module.artifacts.aws_s3_bucket.this
  values = { id = "headgate-dev-artifacts-111111111111", arn = "arn:aws:s3:::headgate-dev-artifacts-111111111111" }
}

override_resource {
  target = module.lake.module.logs.aws_s3_bucket.this
  values = { id = "headgate-dev-logs-111111111111", arn = "arn:aws:s3:::headgate-dev-logs-111111111111" }
}

override_resource {
  target = module.network.aws_subnet.private[0]
  values = { id = "subnet-private-0" }
}

override_resource {
  target = module.network.aws_subnet.private[1]
  values = { id = "subnet-private-1" }
}

override_resource {
  target = module.network.aws_subnet.public[0]
  values = { id = "subnet-public-0" }
}

override_resource {
  target = module.network.aws_subnet.public[1]
  values = { id = "subnet-public-1" }
}

variables {
  environment        = "dev"
  account_id         = "111111111111"
  region             = "eu-central-1"
  availability_zones = ["eu-central-1a", "eu-central-1b"]
  monthly_usd        = 100
}

run "a_small_platform" {
  command = apply

  assert {
    condition     = output.service_names == [] && output.airflow_url == null && output.dns_name == null
    error_message = "A part exists that was not asked for."
  }

  assert {
    condition     = contains(output.query_names, "store_revenue_by_month")
    error_message = "The queries of conf/queries are not named queries."
  }

  assert {
    condition     = yamldecode(output.environment_yaml).catalog.database == "headgate_dev_gold"
    error_message = "The environment names another Glue database."
  }

  assert {
    condition     = yamldecode(output.environment_yaml).lake == "s3://headgate-dev-lake-111111111111"
    error_message = "The environment's file names another lake."
  }

  assert {
    condition     = toset(keys(yamldecode(output.environment_yaml).automation)) == toset(["topic_arn", "queue_url", "dead_letter_queue_url"])
    error_message = "The environment's file lacks a queue or the topic."
  }

  assert {
    condition     = yamldecode(output.environment_yaml).receiver.key_file == "secretsmanager:${output.secret_names["store-keys"]}" && yamldecode(output.environment_yaml).read_api.keys_file == "secretsmanager:${output.secret_names["read-keys"]}"
    error_message = "Receiver or read API does not know the secret with its keys."
  }

  assert {
    condition     = output.people_role_arns == {} && output.github_role_arns == null
    error_message = "A role exists that nobody may take."
  }
}

run "settings_are_merged_into_the_environment" {
  command = apply

  variables {
    settings = {
      time_travel_days = 3
      automation       = { schedules = { nightly = { cron = "0 2 * * *" } } }
      lake             = "s3://another"
    }
  }

  assert {
    condition     = yamldecode(output.environment_yaml).automation.schedules.nightly.cron == "0 2 * * *"
    error_message = "Schedules are missing in the environment's file."
  }

  assert {
    condition     = yamldecode(output.environment_yaml).lake == "s3://headgate-dev-lake-111111111111"
    error_message = "A setting replaced a resource's address."
  }
}

run "everything" {
  command = apply

  variables {
    certificate_arn      = "arn:aws:acm:eu-central-1:111111111111:certificate/1"
    receiver_image_uri   = "111111111111.dkr.ecr.eu-central-1.amazonaws.com/headgate-dev/receiver@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    read_api_image_uri   = "111111111111.dkr.ecr.eu-central-1.amazonaws.com/headgate-dev/read-api@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    airflow              = {}
    nat_gateways         = "single"
    emr_ec2              = {}
    quicksight_user_arns = []
    stream_dataset       = "transactions"
    transfer             = { allowed_cidrs = ["203.0.113.0/24"], stores = {} }
    redshift             = true
    principals           = { operator = ["arn:aws:iam::111111111111:role/sso-operator"] }
    github = {
      repository       = "example/headgate"
      state_bucket_arn = "arn:aws:s3:::headgate-state-111111111111"
      state_key_arn    = "arn:aws:kms:eu-central-1:111111111111:key/2"
    }
  }

  assert {
    condition     = toset(output.service_names) == toset(["receiver", "read-api"])
    error_message = "A service is missing."
  }

  assert {
    condition     = toset(keys(output.github_role_arns)) == toset(["plan", "apply", "deploy"])
    error_message = "A role of GitHub Actions is missing."
  }

  assert {
    condition     = contains(keys(output.people_role_arns), "operator")
    error_message = "The operator's role is missing."
  }
}

run "two_readers_of_the_queue_are_refused" {
  command = plan

  variables {
    airflow                 = {}
    trigger_package_version = "1"
  }

  expect_failures = [var.trigger_package_version]
}

run "production_data_is_not_destroyed" {
  command = plan

  variables {
    environment   = "prod"
    force_destroy = true
  }

  expect_failures = [var.force_destroy]
}
