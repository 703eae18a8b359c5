mock_provider "aws" {}

variables {
  name_prefix        = "headgate-test"
  region             = "eu-central-1"
  kms_key_arn        = "arn:aws:kms:eu-central-1:111111111111:key/1"
  vpc_id             = "vpc-1"
  private_subnet_ids = ["subnet-a", "subnet-b"]
  security_group_id  = "sg-1"
  tags               = { Project = "headgate", Environment = "test" }
  name               = "receiver"
  image_uri          = "111111111111.dkr.ecr.eu-central-1.amazonaws.com/headgate-test/receiver@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  port               = 8080
  path_patterns      = ["/v1/uploads"]
  priority           = 100
  start_role_arn     = "arn:aws:iam::111111111111:role/start"
  task_role_arn      = "arn:aws:iam::111111111111:role/receiver"
  listener_arn       = "arn:aws:elasticloadbalancing:eu-central-1:111111111111:listener/1"
  cluster_arn        = "arn:aws:ecs:eu-central-1:111111111111:cluster/headgate-test"
  cluster_name       = "headgate-test"
  environment        = { HEADGATE_ENV = "test" }
}

run "hardened_container" {
  command = plan

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].readonlyRootFilesystem
    error_message = "The root file system is writable."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].user == "10001:10001"
    error_message = "The container runs as root."
  }

  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].linuxParameters.capabilities.drop == ["ALL"]
    error_message = "The container has Linux capabilities."
  }

  assert {
    condition     = !one(aws_ecs_service.this.network_configuration[*].assign_public_ip)
    error_message = "Tasks have public addresses."
  }

  assert {
    condition     = one(aws_ecs_service.this.deployment_circuit_breaker[*].rollback)
    error_message = "A bad deployment is not rolled back."
  }

  assert {
    condition     = aws_lb_target_group.this.deregistration_delay == "75"
    error_message = "Uploads under way are cut."
  }

  assert {
    condition     = aws_appautoscaling_target.this.max_capacity == 6
    error_message = "Autoscaling has no limit."
  }
}

run "tags_of_images_are_refused" {
  command = plan

  variables {
    image_uri = "receiver:latest"
  }

  expect_failures = [var.image_uri]
}

run "secrets_in_variables_are_refused" {
  command = plan

  variables {
    environment = { DB_PASSWORD = "x" }
  }

  expect_failures = [var.environment]
}
