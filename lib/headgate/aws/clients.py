"""boto3 clients for a command line: the credentials that boto3 finds, and errors that name the missing setting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from headgate.errors import AwsError

_RETRIES = {"mode": "standard", "total_max_attempts": 5}
_ONCE = {"mode": "standard", "total_max_attempts": 1}
_RETRYABLE = ("ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown")
_SECONDS = {"connect_timeout": 10, "read_timeout": 60}


class BotoClients:
    """Clients of one region (empty: that of AWS's variables). Endpoints come from AWS_ENDPOINT_URL."""

    def __init__(self, region: str) -> None:
        self._region = region

    def client(self, service: str, *, retries: bool = True) -> Any:
        """A client of `service`. With `retries=False` each request is sent once."""
        config = Config(retries=_RETRIES if retries else _ONCE, **_SECONDS)
        return boto3.client(service, region_name=self._region or None, config=config)


@contextmanager
def aws_errors(where: str) -> Iterator[None]:
    """Turns errors of boto3 in the block into AwsError, which says whether a retry can help."""
    try:
        yield
    except (NoCredentialsError, NoRegionError) as error:
        raise AwsError(str(error), where=where, fix="set AWS's variables or a profile (docs/emr.md)") from error
    except ClientError as error:
        answer = error.response.get("Error", {})
        raise AwsError(
            f"AWS answered {answer.get('Code')}: {answer.get('Message')}",
            where=f"{where}, {error.operation_name}",
            fix="check the name of the resource, its region, and the permissions of your role",
            retryable=answer.get("Code") in _RETRYABLE or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500,
        ) from error
    except BotoCoreError as error:
        raise AwsError(f"no answer from AWS: {error}", where=where, fix="try again", retryable=True) from error
