"""boto3 clients through an Airflow connection."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config

from headgate.aws.jobs import Jobs, jobs_of
from headgate.planning.manifest import JobSettings

_RETRIES = {"mode": "standard", "total_max_attempts": 5}
_ONCE = {"mode": "standard", "total_max_attempts": 1}


class AwsClients:
    """Makes boto3 clients with the credentials of the connection `aws_conn_id`."""

    def __init__(self, aws_conn_id: str, region: str) -> None:
        self._aws_conn_id, self._region = aws_conn_id, region

    def client(self, service: str, *, retries: bool = True) -> Any:
        """A client of `service`. With `retries=False` each request is sent once."""
        config = Config(retries=_RETRIES if retries else _ONCE, connect_timeout=10, read_timeout=60)
        hook = AwsBaseHook(aws_conn_id=self._aws_conn_id, client_type=service, region_name=self._region, config=config)
        return hook.get_conn()


def connect(settings: JobSettings, aws_conn_id: str) -> Jobs:
    """The jobs of a deployed package, through the connection `aws_conn_id`."""
    return jobs_of(settings, AwsClients(aws_conn_id, settings.region))
