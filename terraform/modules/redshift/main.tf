# Optional: Redshift Serverless, which reads gold through the Glue catalog (Spectrum).

resource "aws_iam_role" "this" {
  name = "${var.name_prefix}-warehouse"
  tags = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RedshiftOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "redshift.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "read-gold"
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "ReadGold"
        Effect   = "Allow"
        Action   = "s3:GetObject"
        Resource = "${var.lake_bucket_arn}/gold/*"
      },
      {
        Sid       = "ListGold"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = var.lake_bucket_arn
        Condition = { StringLike = { "s3:prefix" = ["gold", "gold/*"] } }
      },
      {
        Sid    = "ReadGoldCatalog"
        Effect = "Allow"
        Action = ["glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:GetPartitions"]
        Resource = [
          "arn:${var.partition}:glue:${var.region}:${var.account_id}:catalog",
          "arn:${var.partition}:glue:${var.region}:${var.account_id}:database/${var.gold_database}",
          "arn:${var.partition}:glue:${var.region}:${var.account_id}:table/${var.gold_database}/*",
        ]
      },
      {
        Sid      = "Decrypt"
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = var.kms_key_arn
      },
    ]
  })
}

resource "aws_redshiftserverless_namespace" "this" {
  namespace_name        = var.name_prefix
  db_name               = "headgate"
  kms_key_id            = var.kms_key_arn
  manage_admin_password = true # in Secrets Manager, rotated by AWS
  iam_roles             = [aws_iam_role.this.arn]
  default_iam_role_arn  = aws_iam_role.this.arn
  log_exports           = ["connectionlog", "userlog", "useractivitylog"]
  tags                  = var.tags
}

resource "aws_redshiftserverless_workgroup" "this" {
  workgroup_name       = var.name_prefix
  namespace_name       = aws_redshiftserverless_namespace.this.namespace_name
  base_capacity        = var.base_rpu
  max_capacity         = var.maximum_rpu
  publicly_accessible  = false
  enhanced_vpc_routing = true
  subnet_ids           = var.private_subnet_ids
  security_group_ids   = [var.security_group_id]
  tags                 = var.tags

  config_parameter {
    parameter_key   = "require_ssl"
    parameter_value = "true"
  }
}

resource "aws_redshiftserverless_usage_limit" "this" {
  resource_arn  = aws_redshiftserverless_workgroup.this.arn
  usage_type    = "serverless-compute"
  period        = "daily"
  amount        = var.daily_rpu_hours
  breach_action = "deactivate"
}
