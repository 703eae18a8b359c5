"""Keys in AWS Secrets Manager, for the receiver and the read API."""

from __future__ import annotations

import json

import boto3
import pytest
from moto import mock_aws

from headgate.aws.secrets import read_secret
from headgate.errors import EnvironmentConfigError
from headgate.http.keys import digest_of
from headgate.http.problems import Problem
from headgate.http.secret_keys import SECRET_SECONDS, SecretKeys
from headgate.http.store_keys import SCOPES

PLACE = "secretsmanager:headgate-test/store-keys"


def text_of(**keys: str) -> str:
    """A key file with one key for each client."""
    clients = {name: {"keys": [{"sha256": digest_of(key)}]} for name, key in keys.items()}
    return json.dumps({"format": 1, "clients": clients})


class Secret:
    """A secret whose text changes, and a clock that is moved by hand."""

    def __init__(self, text: str) -> None:
        self.text, self.now = text, 0.0

    def read(self, name: str) -> str:
        assert name == "headgate-test/store-keys"
        if not self.text:
            raise EnvironmentConfigError("the secret cannot be read", where=name, fix="create it")
        return self.text

    def keys(self) -> SecretKeys:
        return SecretKeys(PLACE, SCOPES, self.read, lambda: self.now)


def accepts(keys: SecretKeys, key: str) -> bool:
    try:
        keys.ring().authenticate(f"Bearer {key}")
    except Problem:
        return False
    return True


def test_a_key_that_is_added_to_the_secret_is_accepted_after_a_minute():
    secret = Secret(text_of(a="key-a"))
    keys = secret.keys()
    secret.text = text_of(a="key-a", b="key-b")
    assert accepts(keys, "key-a") and not accepts(keys, "key-b")
    secret.now = SECRET_SECONDS
    assert accepts(keys, "key-b")


@pytest.mark.parametrize("text", ["", "no key file", '{"format": 2}'])
def test_keys_stay_in_use_while_the_secret_cannot_be_read_or_is_not_valid(text):
    secret = Secret(text_of(a="key-a"))
    keys = secret.keys()
    secret.text, secret.now = text, SECRET_SECONDS
    assert accepts(keys, "key-a")


def test_a_server_does_not_start_with_a_secret_that_is_not_a_key_file():
    with pytest.raises(EnvironmentConfigError):
        Secret('{"format": 1}').keys()


def test_the_secret_is_read_from_aws(monkeypatch: pytest.MonkeyPatch):
    variables = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_DEFAULT_REGION": "eu-central-1"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        boto3.client("secretsmanager").create_secret(Name="headgate-test/store-keys", SecretString=text_of(a="key-a"))
        assert accepts(SecretKeys(PLACE, SCOPES, read_secret), "key-a")
        with pytest.raises(EnvironmentConfigError):
            read_secret("headgate-test/read-keys")
