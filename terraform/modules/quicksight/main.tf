# Optional: QuickSight reads gold through Athena. The account's QuickSight subscription has to exist.

resource "aws_quicksight_data_source" "this" {
  data_source_id = var.name_prefix
  name           = var.name_prefix
  aws_account_id = var.account_id
  type           = "ATHENA"
  tags           = var.tags

  parameters {
    athena {
      work_group = var.workgroup
    }
  }

  ssl_properties {
    disable_ssl = false
  }

  dynamic "permission" {
    for_each = var.user_arns

    content {
      principal = permission.value
      actions = [
        "quicksight:DescribeDataSource",
        "quicksight:DescribeDataSourcePermissions",
        "quicksight:PassDataSource",
      ]
    }
  }
}
