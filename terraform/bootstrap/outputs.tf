output "state_bucket" {
  description = "Name of the bucket for Terraform's state."
  value       = module.state.name
}

output "state_bucket_arn" {
  description = "ARN of the bucket for Terraform's state."
  value       = module.state.arn
}

output "state_key_arn" {
  description = "ARN of the KMS key of the state."
  value       = aws_kms_key.state.arn
}

output "backend" {
  description = "Content of terraform/envs/<environment>/backend.hcl."
  value       = <<-EOT
    bucket     = "${module.state.name}"
    region     = "${var.region}"
    kms_key_id = "${aws_kms_key.state.arn}"
  EOT
}
