mock_provider "aws" {}

variables {
  name_prefix         = "headgate-test"
  account_id          = "111111111111"
  region              = "eu-central-1"
  kms_key_arn         = "arn:aws:kms:eu-central-1:111111111111:key/1"
  tags                = { Project = "headgate", Environment = "test" }
  availability_zones  = ["eu-central-1a", "eu-central-1b"]
  trusted_account_ids = ["111111111111"]
  allowed_cidrs       = ["203.0.113.0/24"]
}

run "private_by_default" {
  command = plan

  assert {
    condition     = alltrue([for s in aws_subnet.public : !s.map_public_ip_on_launch])
    error_message = "An instance could get a public address."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_route.nat) == 0
    error_message = "There is a way to the internet without NAT being asked for."
  }

  assert {
    condition     = length(aws_subnet.private) == 2
    error_message = "Each zone needs a private subnet."
  }

  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL"
    error_message = "Flow logs are incomplete."
  }

  assert {
    condition     = aws_cloudwatch_log_group.flow.kms_key_id == var.kms_key_arn && aws_cloudwatch_log_group.flow.retention_in_days == 365
    error_message = "Flow logs are not encrypted, or have no retention."
  }
}

run "security_groups_allow_the_listed_connections_only" {
  command = plan

  assert {
    condition     = toset(keys(aws_security_group.this)) == toset(["load_balancer", "receiver", "read_api", "engine", "airflow", "trigger", "warehouse", "endpoints"])
    error_message = "A security group is missing or new."
  }

  assert {
    condition     = toset(keys(aws_vpc_security_group_ingress_rule.flow)) == toset(["load_balancer_to_receiver", "load_balancer_to_read_api", "engine_to_engine", "airflow_to_airflow", "receiver_to_endpoints", "read_api_to_endpoints", "engine_to_endpoints", "airflow_to_endpoints", "trigger_to_endpoints", "engine_to_warehouse"])
    error_message = "A connection is allowed that is not listed here."
  }

  assert {
    condition     = alltrue([for r in aws_vpc_security_group_ingress_rule.public : r.from_port == 443 && r.to_port == 443])
    error_message = "The load balancer accepts more than HTTPS."
  }

  assert {
    condition     = [for r in aws_vpc_security_group_ingress_rule.public : r.cidr_ipv4] == ["203.0.113.0/24"]
    error_message = "The load balancer accepts another network."
  }

  assert {
    condition     = length(aws_vpc_security_group_egress_rule.nat) == 0
    error_message = "Workloads may connect to the internet without NAT."
  }

  assert {
    condition     = alltrue([for r in aws_vpc_security_group_egress_rule.s3 : r.to_port == 443])
    error_message = "S3 is reached by more than HTTPS."
  }
}

run "network_acl_opens_no_administration_port" {
  command = plan

  assert {
    condition     = toset([for r in aws_network_acl.private.ingress : "${r.from_port}-${r.to_port}" if r.cidr_block == "0.0.0.0/0"]) == toset(["1024-3388", "3390-65535"])
    error_message = "An administration port is open to the internet, or Lambda's ports for answers are not."
  }

  assert {
    condition     = alltrue([for r in aws_network_acl.private.egress : r.to_port == 443 if r.cidr_block == "0.0.0.0/0"])
    error_message = "Something else than HTTPS may leave."
  }
}

run "s3_endpoint_leads_to_trusted_accounts" {
  command = plan

  assert {
    condition     = jsondecode(aws_vpc_endpoint.s3.policy).Statement[0].Condition.StringEquals["aws:ResourceAccount"] == ["111111111111"]
    error_message = "Data could leave by the S3 endpoint."
  }
}

run "nat_per_zone" {
  command = plan

  variables {
    nat_gateways = "per_zone"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 2
    error_message = "Each zone needs its NAT gateway."
  }

  assert {
    condition     = length(aws_vpc_security_group_egress_rule.nat) == 5
    error_message = "Workloads cannot use NAT."
  }
}

run "nat_needs_public_subnets" {
  command = plan

  variables {
    nat_gateways   = "single"
    public_subnets = false
  }

  expect_failures = [aws_nat_gateway.this]
}

run "one_zone_is_refused" {
  command = plan

  variables {
    availability_zones = ["eu-central-1a"]
  }

  expect_failures = [var.availability_zones]
}
