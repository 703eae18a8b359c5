"""A lake on an S3 API: the AWS variables for each component, and refusals before any write."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from headgate.contracts.environment import Environment, Receiver
from headgate.engine.runtime.lock import writing
from headgate.engine.runtime.s3a import LOG_STORE, require_log_store, s3_settings
from headgate.errors import EnvironmentConfigError, StorageError
from headgate.lake import s3
from tests.s3.servers import answering


@pytest.fixture
def variables(monkeypatch):
    """Sets AWS's variables, and no others of AWS."""

    def set_all(**values: str) -> None:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in values.items():
            monkeypatch.setenv(f"AWS_{name}", value)

    return set_all


def on_s3(**spark: str) -> Environment:
    return Environment("s3", "s3://bucket/p", "local", spark, timedelta(hours=26), Receiver(), Path("s3.yaml"))


def test_every_component_gets_an_endpoint_over_http(variables):
    variables(ENDPOINT_URL="http://127.0.0.1:7070/")
    store = s3.object_store("s3://bucket/prefix/x")
    assert (store.config["endpoint"], store.config["region"]) == ("http://127.0.0.1:7070", "us-east-1")
    assert (store.prefix, store.client_options["allow_http"]) == ("prefix/x", "true")
    assert s3.storage_options() == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:7070",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
    spark = {name.removeprefix("spark.hadoop.fs.s3a."): value for name, value in s3_settings().items()}
    assert (spark["endpoint"], spark["path.style.access"]) == ("http://127.0.0.1:7070", "true")
    assert spark["endpoint.region"] == "us-east-1"


def test_plain_http_is_allowed_to_no_endpoint_over_https(variables):
    variables(ENDPOINT_URL="https://minio.example", REGION="eu-west-1")
    assert s3.storage_options() == {"AWS_ENDPOINT_URL": "https://minio.example", "AWS_REGION": "eu-west-1"}
    assert not (s3.object_store("s3://bucket").client_options or {}).get("allow_http")


def test_without_an_endpoint_all_is_left_to_aws_but_the_region(variables):
    variables(DEFAULT_REGION="eu-west-1")
    assert s3.storage_options() == {"AWS_REGION": "eu-west-1"}
    assert not any("endpoint" in name and "region" not in name for name in s3_settings())


def test_the_endpoint_of_s3_alone_comes_first(variables):
    variables(ENDPOINT_URL="https://all.example", ENDPOINT_URL_S3="https://s3.example")
    assert s3.endpoint().url == "https://s3.example"


def test_a_profile_without_other_credentials_is_refused(variables):
    variables(PROFILE="me")
    with pytest.raises(EnvironmentConfigError, match="export-credentials"):
        on_s3().object_store()
    variables(PROFILE="me", ACCESS_KEY_ID="k", SECRET_ACCESS_KEY="s")
    on_s3().object_store()


DENIED = (
    "The operation lacked the necessary privileges to complete for path x/a: Error performing PUT http://s3/lakes/x/a "
    "in 1.3ms - Server returned non-2xx status code: 403 Forbidden: <?xml version='1.0'?>\n<Error>"
    "<Code>SignatureDoesNotMatch</Code><Message>The signature is wrong.</Message><Resource></Resource></Error>"
    "\n\nDebug source:\nPermissionDenied { ... }"
)
AWAY = (
    "Kernel error -> Generic S3 error\n \x1b[31m↳\x1b[0m Error performing GET http://s3/x in 1.7s, after 10 retries\n"
    " \x1b[31m↳\x1b[0m tcp connect error\n \x1b[31m↳\x1b[0m Connection refused (os error 111)"
)


@pytest.mark.parametrize(
    ("said", "message"),
    [(DENIED, "SignatureDoesNotMatch: The signature is wrong."), (AWAY, "Connection refused (os error 111)")],
)
def test_the_failure_of_a_service_is_reported_in_a_line(said, message):
    assert s3.failure(OSError(said)).message == f"the lake's S3 service failed: {message}"


def test_no_other_error_is_taken_for_a_services():
    assert s3.failure(OSError("No space left on device")) is None


def test_a_folder_gets_no_s3_settings(variables, tmp_path):
    variables(ENDPOINT_URL="http://127.0.0.1:7070")
    folder = Environment("f", str(tmp_path), "local", {}, timedelta(hours=26), Receiver(), Path("f.yaml"))
    assert folder.storage_options() == {}


def test_a_run_is_refused_where_the_store_overwrites_on_a_create_only_put(variables):
    with answering() as (store, _):
        variables(ENDPOINT_URL=store.config["endpoint"], ACCESS_KEY_ID="k", SECRET_ACCESS_KEY="s")
        with pytest.raises(StorageError, match="overwrites"), writing(on_s3(), wait=False, waiting=print):
            pytest.fail("it may write")


@pytest.mark.parametrize("name", ["class", "s3.impl", "s3a.impl"])
def test_another_log_store_is_refused(name):
    name = f"spark.delta.logStore.{name}"
    require_log_store({name: LOG_STORE, "spark.delta.logRetention": "1"}, "s3.yaml")
    with pytest.raises(EnvironmentConfigError, match=name):
        require_log_store({name: "io.delta.storage.S3SingleDriverLogStore"}, "s3.yaml")
