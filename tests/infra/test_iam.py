"""What each component and each person may do, evaluated from the policies of terraform/modules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra import policies as p
from tests.infra.iam import Request, as_list, is_allowed, is_denied, statements

COMPONENTS = p.names("access")
PEOPLE = p.names("people")
REVIEWED = yaml.safe_load((p.MODULES / "access" / "reviewed.yaml").read_text())
RECORDED = Path(__file__).parent / "recorded"


def lake_policies() -> list[dict[str, Any]]:
    """The resource policies that decide about the lake bucket together with a role's policy."""
    return [p.policy("lake", "lake_bucket"), dict(p.EVERY_BUCKET)]


def request(action: str, resource: str, **context: str) -> Request:
    """A request over TLS, with the keys of S3's conditional writes where it writes."""
    base = {"aws:SecureTransport": "true", "aws:PrincipalAccount": p.ACCOUNT, "aws:PrincipalIsAWSService": "false"}
    return Request(action, resource, {**base, **{key.replace("__", ":"): value for key, value in context.items()}})


# --- every statement has a reason


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_policy_allows_exactly_what_was_reviewed(component):
    allowed = {
        statement["Sid"]: (sorted(as_list(statement["Action"])), sorted(as_list(statement["Resource"])))
        for statement in json.loads((p.MODULES / "access" / "policies" / f"{component}.json").read_text())["Statement"]
    }
    reviewed = {
        sid: (sorted(entry["actions"]), sorted(entry["resources"])) for sid, entry in REVIEWED[component].items()
    }
    assert allowed == reviewed


def test_every_reviewed_statement_has_a_reason():
    entries = [entry for component in REVIEWED.values() for entry in component.values()]
    assert all(len(entry["reason"]) > 10 and entry["proof"] in ("recorded", "reviewed") for entry in entries)
    assert sorted(REVIEWED) == COMPONENTS


#: Actions that IAM offers no narrower resource for.
WITHOUT_RESOURCE = {
    "ce:GetCostAndUsage",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "cloudwatch:PutMetricData",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ecr:GetAuthorizationToken",
    "lakeformation:GetDataAccess",
    "logs:DescribeLogGroups",
    "s3:GetAccountPublicAccessBlock",
}


@pytest.mark.parametrize(("module", "name"), [("access", c) for c in COMPONENTS] + [("people", c) for c in PEOPLE])
def test_no_policy_allows_a_whole_service_or_any_resource(module, name):
    for statement in statements(p.policy(module, name)):
        actions = as_list(statement["Action"])
        assert not [action for action in actions if action.endswith(":*") or action == "*"], statement["Sid"]
        if "*" in as_list(statement["Resource"]):
            assert set(actions) <= WITHOUT_RESOURCE, statement["Sid"]


# --- calls of the code are allowed


def recorded() -> Iterator[tuple[str, Request]]:
    for path in sorted(RECORDED.glob("*.json")):
        for call in json.loads(path.read_text())["calls"]:
            yield path.stem, Request(call["action"], p.rendered(call["resource"]), call.get("context", {}))


@pytest.mark.parametrize(("component", "call"), list(recorded()), ids=str)
def test_a_recorded_call_is_allowed(component, call):
    context = {"aws:SecureTransport": "true", "aws:PrincipalAccount": p.ACCOUNT, "aws:PrincipalIsAWSService": "false"}
    call = Request(call.action, call.resource, {**context, **call.context})
    module = "github" if component == "deploy" else "access"
    assert is_allowed([p.policy(module, component), *lake_policies()], call)


def test_the_calls_of_every_component_that_calls_aws_were_recorded():
    by_services = {"emr_service", "task_start"}  # EMR and ECS call with these roles, no code of Headgate
    assert {path.stem for path in RECORDED.glob("*.json")} == {*COMPONENTS, "deploy"} - by_services


@pytest.mark.parametrize("component", COMPONENTS)
def test_an_allowed_action_that_no_recorded_call_needs_has_a_reason_of_its_own(component):
    calls = [call for name, call in recorded() if name == component]
    for statement in statements(p.policy("access", component)):
        entry = REVIEWED[component][statement["Sid"]]
        needed = {call.action for call in calls if is_allowed([{"Statement": [statement]}], call)}
        if entry["proof"] == "recorded":
            assert set(entry["actions"]) - needed == set(entry.get("not_recorded", {})), statement["Sid"]
            assert all(len(reason) > 10 for reason in entry.get("not_recorded", {}).values())


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_statement_is_marked_as_recorded_exactly_where_it_allows_a_recorded_call(component):
    calls = [call for name, call in recorded() if name == component]
    needed = {
        statement["Sid"]
        for statement in statements(p.policy("access", component))
        if any(is_allowed([{"Statement": [statement]}], call) for call in calls)
    }
    assert needed == {sid for sid, entry in REVIEWED[component].items() if entry["proof"] == "recorded"}


# --- deny tests: components

LANDED = f"{p.LAKE}/landing/sales/dt=2026-03-01/hour=10/sales.2026030110.store-1.0a.jsonl"

DENIED = {
    "receiver": [
        ("s3:DeleteObject", LANDED),
        ("s3:PutObject", f"{p.LAKE}/gold/daily_sales/part.parquet"),
        ("s3:PutObject", f"{p.LAKE}/silver/sales/_delta_log/00000000000000000001.json"),
        ("secretsmanager:GetSecretValue", f"{p.SECRETS}/read-keys-AbCdEf"),
        ("emr-serverless:StartJobRun", p.APPLICATION),
        ("s3:GetObject", f"{p.ARTIFACTS}/packages/1/headgate.zip"),
    ],
    "read_api": [
        ("s3:GetObject", LANDED),
        ("s3:GetObject", f"{p.LAKE}/silver/customers/part.parquet"),
        ("s3:PutObject", f"{p.LAKE}/gold/daily_sales/part.parquet"),
        ("secretsmanager:GetSecretValue", f"{p.SECRETS}/store-keys-AbCdEf"),
        ("kms:GenerateDataKey", p.KEY),
    ],
    "task_start": [("s3:GetObject", LANDED), ("secretsmanager:GetSecretValue", f"{p.SECRETS}/store-keys-AbCdEf")],
    "engine": [
        ("s3:PutObject", LANDED),
        ("s3:DeleteObject", LANDED),
        ("s3:PutObject", f"{p.ARTIFACTS}/packages/1/headgate.zip"),
        ("secretsmanager:GetSecretValue", f"{p.SECRETS}/store-keys-AbCdEf"),
        ("glue:DeleteDatabase", f"arn:aws:glue:{p.REGION}:{p.ACCOUNT}:database/{p.GOLD}"),
        ("glue:UpdateTable", f"arn:aws:glue:{p.REGION}:{p.ACCOUNT}:table/other/t"),
        ("iam:PassRole", p.ENGINE_ROLE),
    ],
    "orchestration": [
        ("s3:PutObject", f"{p.LAKE}/gold/daily_sales/part.parquet"),
        ("s3:PutObject", f"{p.ARTIFACTS}/airflow/dags/x.py"),
        ("sns:Publish", f"{p.TOPICS}-alarms"),
        ("sqs:SendMessage", p.QUEUE),
        ("secretsmanager:GetSecretValue", f"{p.SECRETS}/store-keys-AbCdEf"),
        ("iam:PassRole", f"arn:aws:iam::{p.ACCOUNT}:role/admin"),
    ],
    "trigger": [
        ("s3:GetObject", LANDED),
        ("sqs:SendMessage", p.QUEUE),
        ("emr-serverless:CancelJobRun", f"{p.APPLICATION}/jobruns/1"),
        ("iam:PassRole", f"arn:aws:iam::{p.ACCOUNT}:role/admin"),
    ],
    "emr_service": [("iam:PassRole", f"arn:aws:iam::{p.ACCOUNT}:role/admin")],
}


@pytest.mark.parametrize(
    ("component", "action", "resource"), [(name, *call) for name, calls in DENIED.items() for call in calls]
)
def test_a_component_may_not(component, action, resource):
    call = request(action, resource, iam__PassedToService="emr-serverless.amazonaws.com", **{"s3:if-none-match": "*"})
    assert not is_allowed([p.policy("access", component), *lake_policies()], call)


def test_every_component_has_deny_tests():
    assert sorted(DENIED) == COMPONENTS


def test_the_engine_role_is_passed_to_emr_only():
    for component in ("orchestration", "trigger"):
        role = [p.policy("access", component)]
        emr = request("iam:PassRole", p.ENGINE_ROLE, iam__PassedToService="emr-serverless.amazonaws.com")
        other = request("iam:PassRole", p.ENGINE_ROLE, iam__PassedToService="ec2.amazonaws.com")
        assert is_allowed(role, emr)
        assert not is_allowed(role, other)


# --- deny tests: people


def allowed_for(person: str, action: str, resource: str, **context: str) -> bool:
    keys = {"kms__ViaService": f"s3.{p.REGION}.amazonaws.com", **context}
    return is_allowed([p.policy("people", person), *lake_policies()], request(action, resource, **keys))


def test_an_analyst_reads_gold_and_nothing_else():
    assert allowed_for("analyst", "s3:GetObject", f"{p.LAKE}/gold/daily_sales/part.parquet")
    assert allowed_for("analyst", "athena:StartQueryExecution", p.WORKGROUP)
    assert not allowed_for("analyst", "s3:GetObject", f"{p.LAKE}/silver/customers/part.parquet")
    assert not allowed_for("analyst", "s3:GetObject", LANDED)
    assert not allowed_for("analyst", "s3:PutObject", f"{p.LAKE}/gold/daily_sales/part.parquet")
    assert not allowed_for("analyst", "athena:StartQueryExecution", p.WORKGROUP.replace("analysts", "platform"))
    assert not allowed_for("analyst", "glue:UpdateTable", f"arn:aws:glue:{p.REGION}:{p.ACCOUNT}:table/{p.GOLD}/t")
    assert not allowed_for("analyst", "s3:GetObject", f"{p.LOGS}/athena/platform/result.csv")
    assert not allowed_for("analyst", "kms:Decrypt", p.KEY, kms__ViaService=f"secretsmanager.{p.REGION}.amazonaws.com")


def test_an_engineer_writes_the_own_namespace_only():
    own = f"{p.LAKE}/namespaces/ada/gold/daily_sales/part.parquet"
    assert allowed_for("engineer", "s3:PutObject", own, aws__username="ada")
    assert not allowed_for("engineer", "s3:PutObject", own, aws__username="bob")
    assert not allowed_for("engineer", "s3:PutObject", own)
    assert not allowed_for("engineer", "s3:PutObject", f"{p.LAKE}/gold/daily_sales/part.parquet", aws__username="ada")
    assert not allowed_for("engineer", "emr-serverless:StartJobRun", p.APPLICATION, aws__username="ada")
    assert not allowed_for("engineer", "secretsmanager:GetSecretValue", f"{p.SECRETS}/store-keys-AbCdEf")


def test_an_operator_repairs_but_does_not_administer():
    assert allowed_for("operator", "emr-serverless:StartJobRun", p.APPLICATION)
    assert allowed_for("operator", "sqs:StartMessageMoveTask", p.DEAD_LETTERS)
    assert allowed_for("operator", "secretsmanager:PutSecretValue", f"{p.SECRETS}/store-keys-AbCdEf")
    assert allowed_for("operator", "s3:DeleteObject", LANDED, aws__PrincipalArn=p.OPERATOR_ROLE)
    assert not allowed_for("operator", "s3:PutObject", LANDED, aws__PrincipalArn=p.OPERATOR_ROLE)
    assert not allowed_for("operator", "iam:CreateRole", f"arn:aws:iam::{p.ACCOUNT}:role/x")
    assert not allowed_for("operator", "s3:PutBucketPolicy", p.LAKE)
    assert not allowed_for("operator", "kms:ScheduleKeyDeletion", p.KEY)
    assert not allowed_for("operator", "s3:PutObject", f"{p.LOGS}/audit/AWSLogs/x.json.gz")


def test_a_store_creates_its_own_uploads_only():
    conditional = {"s3:if-none-match": "*", "s3:ObjectCreationOperation": "true"}
    tagged = {"aws:PrincipalTag/store": "store-1", **conditional}
    assert allowed_for("store", "s3:PutObject", LANDED, **tagged)
    assert not allowed_for("store", "s3:PutObject", LANDED, **{**tagged, "aws:PrincipalTag/store": "store-2"})
    assert not allowed_for("store", "s3:PutObject", LANDED, **conditional)
    assert not allowed_for("store", "s3:GetObject", LANDED, **tagged)
    assert not allowed_for("store", "s3:ListBucket", p.LAKE, **tagged)


# --- bucket policies, against a role that may do everything

ADMIN = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
COMMIT = f"{p.LAKE}/silver/sales/_delta_log/00000000000000000001.json"


@pytest.mark.parametrize(
    "key", [LANDED, COMMIT, f"{p.LAKE}/claims/sales/store-1/0a", f"{p.LAKE}/ns/x/gold/t/_delta_log/1.json"]
)
def test_s3_refuses_to_replace_an_upload_or_a_commit(key):
    plain = request("s3:PutObject", key, s3__ObjectCreationOperation="true")
    conditional = request("s3:PutObject", key, **{"s3:ObjectCreationOperation": "true", "s3:if-none-match": "*"})
    part = request("s3:PutObject", key, s3__ObjectCreationOperation="false")
    assert not is_allowed([ADMIN, *lake_policies()], plain)
    assert is_allowed([ADMIN, *lake_policies()], conditional)
    assert is_allowed([ADMIN, *lake_policies()], part), "parts of a multipart upload carry no condition"


@pytest.mark.parametrize(
    "key", ["silver/sales/part.parquet", "silver/sales/_delta_log/_last_checkpoint", "runs/a.json"]
)
def test_other_objects_can_be_replaced(key):
    plain = request("s3:PutObject", f"{p.LAKE}/{key}", s3__ObjectCreationOperation="true")
    assert is_allowed([ADMIN, *lake_policies()], plain)


def test_landed_uploads_are_deleted_by_the_retention_role_only():
    admin = request("s3:DeleteObject", LANDED, aws__PrincipalArn=f"arn:aws:iam::{p.ACCOUNT}:role/admin")
    operator = request("s3:DeleteObject", LANDED, aws__PrincipalArn=p.OPERATOR_ROLE)
    assert not is_allowed([ADMIN, *lake_policies()], admin)
    assert is_allowed([ADMIN, *lake_policies()], operator)


def test_plain_http_old_tls_and_other_accounts_are_denied():
    for context in (
        {"aws:SecureTransport": "false"},
        {"aws:SecureTransport": "true", "s3:TlsVersion": "1.1"},
        {"aws:SecureTransport": "true", "aws:PrincipalAccount": "999999999999", "aws:PrincipalIsAWSService": "false"},
    ):
        assert is_denied(lake_policies(), Request("s3:GetObject", LANDED, context)), context


def test_other_encryption_than_kms_is_denied():
    aes = request("s3:PutObject", f"{p.LAKE}/runs/a", **{"s3:x-amz-server-side-encryption": "AES256"})
    kms = request("s3:PutObject", f"{p.LAKE}/runs/a", **{"s3:x-amz-server-side-encryption": "aws:kms"})
    default = request("s3:PutObject", f"{p.LAKE}/runs/a")
    assert not is_allowed([ADMIN, *lake_policies()], aes)
    assert is_allowed([ADMIN, *lake_policies()], kms)
    assert is_allowed([ADMIN, *lake_policies()], default)


def test_audit_logs_cannot_be_deleted():
    call = request("s3:DeleteObject", f"{p.LOGS}/audit/AWSLogs/x.json.gz")
    assert not is_allowed([ADMIN, p.policy("lake", "logs_bucket")], call)


# --- GitHub Actions


def test_plan_reads_neither_data_nor_secrets():
    read_only = {
        "Statement": [{"Effect": "Allow", "Action": ["s3:Get*", "secretsmanager:Get*", "logs:Get*"], "Resource": "*"}]
    }
    role = [read_only, p.policy("github", "plan")]
    state = f"{p.VALUES['state_bucket_arn']}/headgate/test/terraform.tfstate"
    assert is_allowed(role, request("s3:GetObject", state))
    assert is_allowed(role, request("s3:GetBucketPolicy", p.LAKE))
    assert not is_allowed(role, request("s3:GetObject", LANDED))
    assert not is_allowed(role, request("secretsmanager:GetSecretValue", f"{p.SECRETS}/store-keys-AbCdEf"))
    assert not is_allowed(
        role, request("s3:GetObject", f"{p.VALUES['state_bucket_arn']}/headgate/prod/terraform.tfstate")
    )


def test_apply_cannot_leave_its_region_account_or_boundary():
    role = [p.policy("github", "apply")]
    here = {"aws:RequestedRegion": p.REGION}
    own = f"arn:aws:iam::{p.ACCOUNT}:role/{p.PREFIX}-engine"
    assert is_allowed(role, request("s3:PutBucketPolicy", p.LAKE, **here))
    assert is_allowed(role, request("iam:PutRolePolicy", own, **here))
    assert not is_allowed(role, request("s3:PutBucketPolicy", p.LAKE, **{"aws:RequestedRegion": "ap-south-1"}))
    assert not is_allowed(role, request("iam:PutRolePolicy", f"arn:aws:iam::{p.ACCOUNT}:role/admin", **here))
    assert not is_allowed(role, request("iam:PutRolePolicy", f"{own.replace('engine', 'github-apply')}", **here))
    assert not is_allowed(role, request("secretsmanager:GetSecretValue", f"{p.SECRETS}/store-keys-AbCdEf", **here))
    boundary = [p.policy("github", "boundary")]
    assert is_denied(boundary, request("sts:AssumeRole", "arn:aws:iam::999999999999:role/x"))
    assert is_denied(boundary, request("iam:CreateUser", f"arn:aws:iam::{p.ACCOUNT}:user/x"))


def test_deploy_publishes_but_changes_no_data():
    role = [p.policy("github", "deploy"), *lake_policies()]
    assert is_allowed(role, request("s3:PutObject", f"{p.ARTIFACTS}/packages/1/headgate.zip"))
    assert not is_allowed(role, request("s3:PutObject", f"{p.LAKE}/gold/t/part.parquet"))
    assert not is_allowed(role, request("s3:GetObject", LANDED))
    assert not is_allowed(role, request("iam:CreateRole", f"arn:aws:iam::{p.ACCOUNT}:role/x"))
