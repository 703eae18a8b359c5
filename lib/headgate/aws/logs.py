"""Drivers' logs in S3, as EMR writes them: stdout.gz and stderr.gz below a job's folder."""

from __future__ import annotations

import gzip
from typing import Any

from botocore.exceptions import ClientError


def tail(client: Any, folder: str, lines: int) -> list[str]:
    """The last lines of a driver's output, a Python traceback among them. Empty where EMR has not written it yet.

    `client` is boto3's `s3`, `folder` an s3:// address. spark-submit writes the driver's Python errors to stdout.
    """
    bucket, _, prefix = folder.removeprefix("s3://").partition("/")
    for name in ("stdout.gz", "stderr.gz"):
        try:
            body = client.get_object(Bucket=bucket, Key=f"{prefix.rstrip('/')}/{name}")["Body"].read()
        except ClientError:
            continue
        text = gzip.decompress(body).decode(errors="replace").strip()
        if text:
            return text.splitlines()[-lines:]
    return []
