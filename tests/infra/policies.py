"""The policies of terraform/modules, with the values of a made-up account in place of `${...}`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.infra.iam import Policy

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "terraform" / "modules"

ACCOUNT, REGION, PREFIX = "111111111111", "eu-central-1", "headgate-test"
LAKE = f"arn:aws:s3:::{PREFIX}-lake-{ACCOUNT}"
ARTIFACTS = f"arn:aws:s3:::{PREFIX}-artifacts-{ACCOUNT}"
LOGS = f"arn:aws:s3:::{PREFIX}-logs-{ACCOUNT}"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{PREFIX}-landing"
DEAD_LETTERS = f"{QUEUE}-dead-letters"
APPLICATION = f"arn:aws:emr-serverless:{REGION}:{ACCOUNT}:/applications/00abc"
SECRETS = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{PREFIX}"
TOPICS = f"arn:aws:sns:{REGION}:{ACCOUNT}:{PREFIX}"
ENGINE_ROLE = f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}-engine"
OPERATOR_ROLE = f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}-operator"
WORKGROUP = f"arn:aws:athena:{REGION}:{ACCOUNT}:workgroup/{PREFIX}-analysts"
GOLD = "headgate_test_gold"

VALUES = {
    "partition": "aws",
    "region": REGION,
    "account_id": ACCOUNT,
    "name_prefix": PREFIX,
    "lake_arn": LAKE,
    "artifacts_arn": ARTIFACTS,
    "logs_arn": LOGS,
    "kms_key_arn": KEY,
    "queue_arn": QUEUE,
    "dead_letter_queue_arn": DEAD_LETTERS,
    "application_arn": APPLICATION,
    "engine_role_arn": ENGINE_ROLE,
    "secrets_arn": SECRETS,
    "topics_arn": TOPICS,
    "workgroup_arn": WORKGROUP,
    "gold_database": GOLD,
    "retention_role_arns": json.dumps([OPERATOR_ROLE]),
    "access_logs_arn": f"arn:aws:s3:::{PREFIX}-access-logs-{ACCOUNT}",
    "bucket_arn": LAKE,
    "topic_arn": f"{TOPICS}-notifications",
    "state_bucket_arn": f"arn:aws:s3:::headgate-state-{ACCOUNT}",
    "state_key_arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/2",
    "environment": "test",
}

#: What S3 refuses for every bucket (terraform/modules/bucket/main.tf), for an account boundary of this account alone.
EVERY_BUCKET: Policy = {
    "Statement": [
        {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {
            "Effect": "Deny",
            "Action": "s3:*",
            "Resource": "*",
            "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
        },
        {
            "Effect": "Deny",
            "Action": "s3:*",
            "Resource": "*",
            "Condition": {
                "StringNotEquals": {"aws:PrincipalAccount": [ACCOUNT]},
                "Bool": {"aws:PrincipalIsAWSService": "false"},
            },
        },
    ]
}


def policy(module: str, name: str) -> dict[str, Any]:
    """The policy terraform/modules/<module>/policies/<name>.json, as Terraform's templatefile gives it."""
    return json.loads(rendered((MODULES / module / "policies" / f"{name}.json").read_text()))


def rendered(template: str) -> str:
    """A template with its values; `$${` is a literal `${`. Raises KeyError for an unknown name."""
    return re.sub(r"\$\$\{|\$\{(\w+)\}", lambda match: VALUES[match.group(1)] if match.group(1) else "${", template)


def names(module: str) -> list[str]:
    """The names of a module's policies."""
    return sorted(path.stem for path in (MODULES / module / "policies").glob("*.json"))
