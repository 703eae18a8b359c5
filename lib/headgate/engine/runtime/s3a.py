"""Spark on a lake of an S3 API: Hadoop's S3A where AWS's variables say, and a LogStore that loses no commit.

Delta's own LogStore for S3 checks whether a commit's file exists and then writes it: if two processes commit at
the same moment, one commit is lost. `jvm/ConditionalLogStore.java` writes the file only if it does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping

from headgate.errors import EnvironmentConfigError
from headgate.lake.s3 import endpoint

LOG_STORE = "headgate.ConditionalLogStore"

_LOG_STORES = "spark.delta.logStore."
_SETTINGS = {
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
    # AWS's own order: variables, web identity, a container's or an instance's role.
    "spark.hadoop.fs.s3a.aws.credentials.provider": (
        "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider"
    ),
    f"{_LOG_STORES}s3.impl": LOG_STORE,
    f"{_LOG_STORES}s3a.impl": LOG_STORE,
}


def s3_settings() -> dict[str, str]:
    """The settings of a session whose lake is on S3. Raises EnvironmentConfigError."""
    api = endpoint()
    settings = dict(_SETTINGS)
    if api.url:
        # Bucket names are host names on AWS only.
        settings |= {"spark.hadoop.fs.s3a.endpoint": api.url, "spark.hadoop.fs.s3a.path.style.access": "true"}
    if api.region:
        settings["spark.hadoop.fs.s3a.endpoint.region"] = api.region
    return settings


def require_log_store(settings: Mapping[str, str], where: str) -> None:
    """Raises EnvironmentConfigError where the settings name a LogStore that is not ours: it could lose commits."""
    for name, value in settings.items():
        if name.startswith(_LOG_STORES) and value != LOG_STORE:
            raise EnvironmentConfigError(
                f"{name} is {value}: on S3 every writer has to commit by {LOG_STORE}",
                where=where,
                fix=f"take {name} out of `spark`",
            )
