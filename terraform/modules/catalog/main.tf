# Gold for analysts: Glue databases (Headgate registers the tables), Athena workgroups with scan limits, named queries.

resource "aws_glue_catalog_database" "this" {
  for_each = var.databases

  name         = replace("${var.name_prefix}_${each.key}", "-", "_")
  description  = each.value
  location_uri = "s3://${var.lake_bucket}/${each.key}/"
  tags         = var.tags
}

resource "aws_glue_data_catalog_encryption_settings" "this" {
  count = var.encrypt_catalog ? 1 : 0

  data_catalog_encryption_settings {
    connection_password_encryption {
      aws_kms_key_id                       = var.kms_key_arn
      return_connection_password_encrypted = true
    }

    encryption_at_rest {
      catalog_encryption_mode = "SSE-KMS"
      sse_aws_kms_key_id      = var.kms_key_arn
    }
  }
}

resource "aws_athena_workgroup" "this" {
  for_each = var.workgroups

  name          = "${var.name_prefix}-${each.key}"
  description   = each.value.description
  state         = "ENABLED"
  force_destroy = false
  tags          = var.tags

  configuration {
    # Clients can change neither the result location nor the encryption.
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = each.value.scan_limit_gb * pow(1024, 3)
    requester_pays_enabled             = false

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location       = "s3://${var.logs_bucket}/athena/${each.key}/"
      expected_bucket_owner = var.account_id

      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = var.kms_key_arn
      }
    }
  }
}

resource "aws_athena_named_query" "this" {
  for_each = var.queries

  name        = each.key
  description = try(regex("^-- (.*)", each.value)[0], "Headgate: ${each.key}")
  database    = aws_glue_catalog_database.this["gold"].name
  workgroup   = aws_athena_workgroup.this["analysts"].id
  query       = each.value
}
