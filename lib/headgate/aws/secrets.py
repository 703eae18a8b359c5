"""AWS Secrets Manager."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headgate.errors import EnvironmentConfigError
from headgate.http.keys import KeyFile
from headgate.http.secret_keys import SECRET_PREFIX, SecretKeys


def keys_at(place: str, scopes: Mapping[str, Any], folder: Path = Path()) -> KeyFile | SecretKeys:
    """Returns the keys of a file, relative to `folder`, or of `secretsmanager:NAME`, both of which may change.

    `scopes` is the schema of a client's scopes. Raises EnvironmentConfigError.
    """
    if place.startswith(SECRET_PREFIX):
        return SecretKeys(place, scopes, read_secret)
    return KeyFile(folder / Path(place).expanduser(), scopes)


def read_secret(name: str) -> str:
    """Returns the text of a secret. Raises EnvironmentConfigError if it cannot be read."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return str(boto3.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])
    except (BotoCoreError, ClientError, KeyError) as error:
        raise EnvironmentConfigError(
            f"the secret cannot be read: {error}",
            where=name,
            fix="create it, and allow this role secretsmanager:GetSecretValue on it",
        ) from error
