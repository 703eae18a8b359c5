# Security groups by name. `local.flows` is the complete list of allowed connections; a test compares it with the plan.

locals {
  groups = {
    load_balancer = "Load balancer: HTTPS from the allowed networks"
    receiver      = "Receiver tasks: requests from the load balancer only"
    read_api      = "Read API tasks: requests from the load balancer only"
    engine        = "EMR: Spark driver and executors among themselves"
    airflow       = "MWAA: scheduler, workers and web server among themselves"
    trigger       = "Arrival Lambda: no inbound connection"
    warehouse     = "Redshift Serverless: queries from the allowed networks inside the VPC"
    endpoints     = "Interface endpoints: HTTPS from inside the VPC"
  }

  # name = { from, to, port range }: both the egress rule of `from` and the ingress rule of `to` are made.
  flows = {
    load_balancer_to_receiver = { from = "load_balancer", to = "receiver", first = var.receiver_port, last = var.receiver_port }
    load_balancer_to_read_api = { from = "load_balancer", to = "read_api", first = var.read_api_port, last = var.read_api_port }
    engine_to_engine          = { from = "engine", to = "engine", first = 0, last = 65535 }
    airflow_to_airflow        = { from = "airflow", to = "airflow", first = 0, last = 65535 }
    receiver_to_endpoints     = { from = "receiver", to = "endpoints", first = 443, last = 443 }
    read_api_to_endpoints     = { from = "read_api", to = "endpoints", first = 443, last = 443 }
    engine_to_endpoints       = { from = "engine", to = "endpoints", first = 443, last = 443 }
    airflow_to_endpoints      = { from = "airflow", to = "endpoints", first = 443, last = 443 }
    trigger_to_endpoints      = { from = "trigger", to = "endpoints", first = 443, last = 443 }
    engine_to_warehouse       = { from = "engine", to = "warehouse", first = 5439, last = 5439 }
  }

  # S3 is reached through the gateway endpoint, whose addresses are a prefix list.
  uses_s3 = toset(["receiver", "read_api", "engine", "airflow", "trigger"])
  # Without interface endpoints the AWS APIs are reached through NAT.
  uses_nat = var.nat_gateways == "none" ? toset([]) : local.uses_s3
}

resource "aws_security_group" "this" {
  for_each = local.groups

  name        = "${var.name_prefix}-${replace(each.key, "_", "-")}"
  description = each.value
  vpc_id      = aws_vpc.this.id
  tags        = merge(var.tags, { Name = "${var.name_prefix}-${replace(each.key, "_", "-")}" })
}

resource "aws_vpc_security_group_ingress_rule" "public" {
  for_each = toset(var.allowed_cidrs)

  security_group_id = aws_security_group.this["load_balancer"].id
  description       = "HTTPS from an allowed network"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "flow" {
  for_each = local.flows

  security_group_id            = aws_security_group.this[each.value.from].id
  description                  = replace(each.key, "_", " ")
  referenced_security_group_id = aws_security_group.this[each.value.to].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.first
  to_port                      = each.value.last
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "flow" {
  for_each = local.flows

  security_group_id            = aws_security_group.this[each.value.to].id
  description                  = replace(each.key, "_", " ")
  referenced_security_group_id = aws_security_group.this[each.value.from].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.first
  to_port                      = each.value.last
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "s3" {
  for_each = local.uses_s3

  security_group_id = aws_security_group.this[each.key].id
  description       = "S3 through the gateway endpoint"
  prefix_list_id    = aws_vpc_endpoint.s3.prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "nat" {
  for_each = local.uses_nat

  security_group_id = aws_security_group.this[each.key].id
  description       = "HTTPS to AWS APIs through NAT"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}
