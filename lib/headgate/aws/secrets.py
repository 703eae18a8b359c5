"""AWS Secrets Manager."""

from __future__ import annotations

from headgate.errors import EnvironmentConfigError


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
