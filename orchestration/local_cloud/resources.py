"""What a new local cloud has: the resources that Terraform makes on AWS, by the same names."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

APPLICATION = CLUSTER = "headgate"
QUEUE, DEAD_LETTERS, TOPIC = "headgate-uploads", "headgate-uploads-dead", "headgate-alerts"
#: The Glue database of gold.
DATABASE = "headgate_gold"
RELEASE = "emr-spark-8.1.0"
#: The role of a job run. EMR Serverless requires one; the local cloud does not check its permissions.
ROLE = "arn:aws:iam::123456789012:role/headgate-job"

_SERVICES = ("s3", "sqs", "sns", "emr-serverless", "emr", "glue")
_RECEIVES = 5  # before a message becomes a dead letter
_VISIBILITY_SECONDS = 90


@dataclass(frozen=True)
class Resources:
    """The addresses and names of the created resources."""

    endpoint: str
    region: str
    buckets: tuple[str, ...]
    queue: str
    dead_letters: str
    topic: str
    application: str
    cluster: str
    role: str = ROLE
    database: str = DATABASE

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def make(endpoint: str, region: str, buckets: Iterable[str], landing: str = "") -> Resources:
    """Makes what is not there yet.

    `landing` is `bucket/prefix`: each new object below it puts an S3 event on the queue. Empty means no events.
    """
    clients = {name: client(name, endpoint, region) for name in _SERVICES}
    names = tuple(dict.fromkeys([*buckets, *([landing.partition("/")[0]] if landing else [])]))
    for name in names:
        _make_bucket(clients["s3"], name, region)
    queue, dead = _make_queues(clients["sqs"])
    if landing:
        _notify(clients["s3"], clients["sqs"], landing, queue)
    topic = clients["sns"].create_topic(Name=TOPIC)["TopicArn"]
    application = clients["emr-serverless"].create_application(
        name=APPLICATION, releaseLabel=RELEASE, type="SPARK", clientToken=APPLICATION
    )["applicationId"]
    _make_database(clients["glue"])
    logs = f"s3://{names[0]}/logs" if names else ""
    return Resources(endpoint, region, names, queue, dead, topic, application, _make_cluster(clients["emr"], logs))


def client(service: str, endpoint: str, region: str) -> Any:
    """A client of the local cloud, which takes any key."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106
    )


def _make_bucket(s3: Any, name: str, region: str) -> None:
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        s3.create_bucket(Bucket=name, **where)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise


def _make_database(glue: Any) -> None:
    try:
        glue.create_database(DatabaseInput={"Name": DATABASE, "Description": "Headgate: gold tables"})
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise


def _make_queues(sqs: Any) -> tuple[str, str]:
    """The URLs of the queue of S3 events and of its dead letter queue."""
    dead = sqs.create_queue(QueueName=DEAD_LETTERS)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": _RECEIVES})
    attributes = {"RedrivePolicy": policy, "VisibilityTimeout": str(_VISIBILITY_SECONDS)}
    return sqs.create_queue(QueueName=QUEUE, Attributes=attributes)["QueueUrl"], dead


def _notify(s3: Any, sqs: Any, landing: str, queue: str) -> None:
    bucket, _, prefix = landing.partition("/")
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rule = {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": rule}]
        },
    )


def _make_cluster(emr: Any, logs: str) -> str:
    for cluster in emr.list_clusters()["Clusters"]:
        if cluster["Name"] == CLUSTER:
            return cluster["Id"]
    return emr.run_job_flow(
        Name=CLUSTER,
        ReleaseLabel="emr-7.14.0",
        LogUri=logs,
        JobFlowRole="EMR_EC2_DefaultRole",
        ServiceRole="EMR_DefaultRole",
        Instances={
            "MasterInstanceType": "m5.xlarge",
            "SlaveInstanceType": "m5.xlarge",
            "InstanceCount": 2,
            "KeepJobFlowAliveWhenNoSteps": True,
        },
    )["JobFlowId"]
