mock_provider "aws" {}

variables {
  name_prefix        = "headgate-test"
  kms_key_arn        = "arn:aws:kms:eu-central-1:111111111111:key/1"
  security_group_id  = "sg-1"
  tags               = { Project = "headgate", Environment = "test" }
  certificate_arn    = "arn:aws:acm:eu-central-1:111111111111:certificate/1"
  subnet_ids         = ["subnet-a", "subnet-b"]
  access_logs_bucket = "headgate-test-access-logs"
}

run "https_behind_waf" {
  command = plan

  assert {
    condition     = aws_lb_listener.https.protocol == "HTTPS" && aws_lb_listener.https.port == 443
    error_message = "The listener is not HTTPS."
  }

  assert {
    condition     = strcontains(aws_lb_listener.https.ssl_policy, "TLS13-1-2")
    error_message = "Old TLS versions are accepted."
  }

  assert {
    condition     = aws_lb.this.drop_invalid_header_fields && aws_lb.this.enable_deletion_protection
    error_message = "The load balancer is not hardened."
  }

  assert {
    condition     = aws_lb.this.idle_timeout < 75
    error_message = "Clients get a 502: the receiver closes connections first."
  }

  assert {
    condition     = length([for r in aws_wafv2_web_acl.this.rule : r.name]) == 4
    error_message = "A WAF rule is missing."
  }

  assert {
    condition     = one(aws_wafv2_web_acl_logging_configuration.this.redacted_fields[0].single_header[*].name) == "authorization"
    error_message = "Keys of stores would be logged."
  }

  assert {
    condition     = length(aws_autoscaling_group.instance) == 0
    error_message = "EC2 is used without being asked for."
  }
}

run "ec2_capacity" {
  command = plan

  variables {
    ec2 = { image_id = "ami-1", instance_type = "m7g.large", minimum = 1, maximum = 3, subnet_ids = ["subnet-a"], security_group_ids = ["sg-1"] }
  }

  assert {
    condition     = one(aws_launch_template.instance[0].metadata_options[*].http_tokens) == "required"
    error_message = "IMDSv1 is possible."
  }

  assert {
    condition     = length(aws_ecs_capacity_provider.ec2) == 1
    error_message = "There is no capacity provider."
  }
}
