# EMR on EC2: a cluster in private subnets that takes Headgate's jobs as steps. An alternative to EMR Serverless.

resource "aws_emr_security_configuration" "this" {
  name = var.name_prefix

  configuration = jsonencode({
    EncryptionConfiguration = {
      EnableInTransitEncryption = false # needs certificates of your own; the nodes share one security group in private subnets
      EnableAtRestEncryption    = true
      AtRestEncryptionConfiguration = {
        S3EncryptionConfiguration = {
          EncryptionMode = "SSE-KMS"
          AwsKmsKey      = var.kms_key_arn
        }
        LocalDiskEncryptionConfiguration = {
          EncryptionKeyProviderType = "AwsKms"
          AwsKmsKey                 = var.kms_key_arn
          EnableEbsEncryption       = true
        }
      }
    }
    InstanceMetadataServiceConfiguration = {
      MinimumInstanceMetadataServiceVersion = 2
      HttpPutResponseHopLimit               = 1
    }
  })
}

resource "aws_security_group" "service_access" {
  name        = "${var.name_prefix}-emr-service"
  description = "EMR service access to the nodes in private subnets; EMR manages the rules"
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, { "for-use-with-amazon-emr-managed-policies" = "true" })

  revoke_rules_on_delete = true
}

resource "aws_iam_instance_profile" "this" {
  name = "${var.name_prefix}-emr-ec2"
  role = var.instance_role_name
  tags = var.tags
}

resource "aws_emr_cluster" "this" {
  name                              = var.name_prefix
  release_label                     = var.release_label
  applications                      = ["Spark"]
  service_role                      = var.service_role_arn
  security_configuration            = aws_emr_security_configuration.this.name
  log_uri                           = "s3://${var.logs_bucket}/emr/"
  log_encryption_kms_key_id         = var.kms_key_arn
  step_concurrency_level            = var.step_concurrency
  keep_job_flow_alive_when_no_steps = true
  termination_protection            = var.termination_protection
  tags                              = merge(var.tags, { "for-use-with-amazon-emr-managed-policies" = "true" })

  ec2_attributes {
    subnet_ids                        = var.private_subnet_ids
    instance_profile                  = aws_iam_instance_profile.this.arn
    emr_managed_master_security_group = var.security_group_id
    emr_managed_slave_security_group  = var.security_group_id
    service_access_security_group     = aws_security_group.service_access.id
  }

  master_instance_fleet {
    name                      = "primary"
    target_on_demand_capacity = 1

    dynamic "instance_type_configs" {
      for_each = var.primary_instance_types

      content {
        instance_type = instance_type_configs.value

        ebs_config {
          type                 = "gp3"
          size                 = 64
          volumes_per_instance = 1
        }
      }
    }
  }

  core_instance_fleet {
    name                      = "core"
    target_on_demand_capacity = var.core_on_demand
    target_spot_capacity      = var.core_spot

    dynamic "instance_type_configs" {
      for_each = var.core_instance_types

      content {
        instance_type     = instance_type_configs.value
        weighted_capacity = 1

        ebs_config {
          type                 = "gp3"
          size                 = 128
          volumes_per_instance = 1
        }
      }
    }

    launch_specifications {
      spot_specification {
        allocation_strategy      = "capacity-optimized"
        timeout_action           = "SWITCH_TO_ON_DEMAND"
        timeout_duration_minutes = 10
      }
    }
  }

  auto_termination_policy {
    idle_timeout = var.idle_minutes * 60
  }

  lifecycle {
    # EMR changes the fleets' capacity by itself once managed scaling is on.
    ignore_changes = [core_instance_fleet[0].target_on_demand_capacity, core_instance_fleet[0].target_spot_capacity]
  }
}

resource "aws_emr_managed_scaling_policy" "this" {
  cluster_id = aws_emr_cluster.this.id

  compute_limits {
    unit_type                       = "InstanceFleetUnits"
    minimum_capacity_units          = 1
    maximum_capacity_units          = var.maximum_units
    maximum_ondemand_capacity_units = var.maximum_units
    maximum_core_capacity_units     = var.maximum_units
  }
}
