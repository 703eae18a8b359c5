# Optional: SFTP for stores that cannot speak HTTP. Files arrive in the lake's inbox/, one folder per store; `headgate pull` uploads them.

resource "aws_security_group" "this" {
  name        = "${var.name_prefix}-sftp"
  description = "SFTP from the allowed networks"
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, { Name = "${var.name_prefix}-sftp" })
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = toset(var.allowed_cidrs)

  security_group_id = aws_security_group.this.id
  description       = "SFTP from an allowed network"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
  tags              = var.tags
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/${var.name_prefix}/sftp"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_iam_role" "store" {
  name = "${var.name_prefix}-sftp"
  tags = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TransferOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "transfer.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "store" {
  name = "write-inbox"
  role = aws_iam_role.store.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "WriteInbox"
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:AbortMultipartUpload"]
        Resource = "${var.lake_bucket_arn}/inbox/*"
      },
      {
        Sid       = "ListInbox"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = var.lake_bucket_arn
        Condition = { StringLike = { "s3:prefix" = ["inbox/*"] } }
      },
      {
        Sid      = "Encrypt"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource = var.kms_key_arn
      },
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
        Resource = "${aws_cloudwatch_log_group.this.arn}:*"
      },
    ]
  })
}

resource "aws_eip" "this" {
  count = length(var.subnet_ids)

  domain = "vpc"
  tags   = merge(var.tags, { Name = "${var.name_prefix}-sftp-${count.index + 1}" })
}

resource "aws_transfer_server" "this" {
  protocols                   = ["SFTP"]
  identity_provider_type      = "SERVICE_MANAGED"
  endpoint_type               = "VPC"
  security_policy_name        = "TransferSecurityPolicy-2025-03"
  logging_role                = aws_iam_role.store.arn
  structured_log_destinations = ["${aws_cloudwatch_log_group.this.arn}:*"]
  tags                        = merge(var.tags, { Name = var.name_prefix })

  endpoint_details {
    vpc_id                 = var.vpc_id
    subnet_ids             = var.subnet_ids
    security_group_ids     = [aws_security_group.this.id]
    address_allocation_ids = aws_eip.this[*].id
  }
}

resource "aws_transfer_user" "this" {
  for_each = var.stores

  server_id           = aws_transfer_server.this.id
  user_name           = each.key
  role                = aws_iam_role.store.arn
  home_directory_type = "LOGICAL"
  tags                = var.tags

  home_directory_mappings {
    entry  = "/"
    target = "/${var.lake_bucket}/inbox/${each.key}"
  }

  # The role can write to every store's folder; this session policy limits the user to its own.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "OwnFolder"
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:AbortMultipartUpload"]
        Resource = "${var.lake_bucket_arn}/inbox/${each.key}/*"
      },
      {
        Sid       = "ListOwnFolder"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = var.lake_bucket_arn
        Condition = { StringLike = { "s3:prefix" = ["inbox/${each.key}/*"] } }
      },
      {
        Sid      = "Encrypt"
        Effect   = "Allow"
        Action   = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource = var.kms_key_arn
      },
    ]
  })
}

resource "aws_transfer_ssh_key" "this" {
  for_each = var.stores

  server_id = aws_transfer_server.this.id
  user_name = aws_transfer_user.this[each.key].user_name
  body      = each.value
}
