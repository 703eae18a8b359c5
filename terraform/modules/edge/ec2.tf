# Optional: EC2 instances as capacity for the services, where Fargate is too dear for a constant load.

resource "aws_iam_role" "instance" {
  count = var.ec2 == null ? 0 : 1

  name = "${var.name_prefix}-ecs-instance"
  tags = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Instances"
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "instance" {
  count = var.ec2 == null ? 0 : 1

  role       = aws_iam_role.instance[0].name
  policy_arn = "arn:${var.partition}:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
}

resource "aws_iam_instance_profile" "instance" {
  count = var.ec2 == null ? 0 : 1

  name = "${var.name_prefix}-ecs-instance"
  role = aws_iam_role.instance[0].name
  tags = var.tags
}

resource "aws_launch_template" "instance" {
  count = var.ec2 == null ? 0 : 1

  name                   = "${var.name_prefix}-ecs"
  image_id               = var.ec2.image_id
  instance_type          = var.ec2.instance_type
  vpc_security_group_ids = var.ec2.security_group_ids
  user_data              = base64encode("#!/bin/bash\necho ECS_CLUSTER=${var.name_prefix} >> /etc/ecs/ecs.config\n")
  tags                   = var.tags

  iam_instance_profile {
    arn = aws_iam_instance_profile.instance[0].arn
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      encrypted   = true
      kms_key_id  = var.kms_key_arn
      volume_type = "gp3"
      volume_size = 40
    }
  }
}

resource "aws_autoscaling_group" "instance" {
  count = var.ec2 == null ? 0 : 1

  name                  = "${var.name_prefix}-ecs"
  min_size              = var.ec2.minimum
  max_size              = var.ec2.maximum
  vpc_zone_identifier   = var.ec2.subnet_ids
  protect_from_scale_in = true

  launch_template {
    id      = aws_launch_template.instance[0].id
    version = aws_launch_template.instance[0].latest_version
  }

  dynamic "tag" {
    for_each = merge(var.tags, { AmazonECSManaged = "true", Name = "${var.name_prefix}-ecs" })

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }
}

resource "aws_ecs_capacity_provider" "ec2" {
  count = var.ec2 == null ? 0 : 1

  name = "${var.name_prefix}-ec2"
  tags = var.tags

  auto_scaling_group_provider {
    auto_scaling_group_arn         = aws_autoscaling_group.instance[0].arn
    managed_termination_protection = "ENABLED"

    managed_scaling {
      status          = "ENABLED"
      target_capacity = 90
    }
  }
}
