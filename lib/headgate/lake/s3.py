"""A lake on an S3 API: where the API is, by AWS's own variables, and the store of the lake's objects.

obstore and deltalake read keys and roles from the same variables, and get credentials of the instance.
What the two, and Spark (`headgate.engine.runtime.s3a`), would each take from somewhere else is said here, once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from obstore.store import S3Store

from headgate.errors import EnvironmentConfigError, StorageError

if TYPE_CHECKING:  # types that exist in obstore's stubs only
    from obstore.store import ClientConfig, S3Config

SCHEME = "s3://"

# Messages of obstore and deltalake for a failed request, and of the service in its response.
_FAILED = re.compile(r"Generic S3 error|Error performing [A-Z]+ https?://")
_ANSWER = re.compile(r"<Code>(?P<code>\w+)</Code>(?:.*?<Message>(?P<message>[^<]*)</Message>)?", re.DOTALL)
_DECORATION = re.compile(r"\x1b\[\d+m|↳")

#: Answers that stay the same until a person changes the configuration.
_PERMANENT = frozenset(
    [
        "AccessDenied",
        "AllAccessDisabled",
        "AuthorizationHeaderMalformed",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidBucketName",
        "NoSuchBucket",
        "PermanentRedirect",
        "SignatureDoesNotMatch",
    ]
)

# The default region to sign for with a custom endpoint; services other than AWS accept it.
_ANY_REGION = "us-east-1"
# Where obstore finds credentials. A profile is none of them.
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


@dataclass(frozen=True)
class Endpoint:
    """An S3 API. `url` is empty for AWS's own, `region` where each client finds it itself."""

    url: str
    region: str

    @property
    def is_plain_http(self) -> bool:
        return self.url.startswith("http://")


def endpoint(environ: Mapping[str, str] = os.environ) -> Endpoint:
    """The S3 API that the variables name. Raises EnvironmentConfigError for a profile, which not every part knows."""
    if environ.get("AWS_PROFILE") and not any(environ.get(name) for name in _CREDENTIALS):
        raise EnvironmentConfigError(
            "profiles are not read",
            where="AWS_PROFILE",
            fix='put its credentials into variables: eval "$(aws configure export-credentials --format env)"',
        )
    url = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or ""
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or (_ANY_REGION if url else "")
    return Endpoint(url.rstrip("/"), region)


def object_store(lake: str) -> S3Store:
    """A store rooted at `lake`, s3://bucket/prefix; no request is sent yet."""
    api = endpoint()
    bucket, _, prefix = lake.removeprefix(SCHEME).partition("/")
    config: S3Config = {}
    if api.url:
        config["endpoint"] = api.url
    if api.region:
        config["region"] = api.region
    options: ClientConfig = {"allow_http": True} if api.is_plain_http else {}
    return S3Store(bucket, prefix=prefix or None, config=config, client_options=options)


def storage_options() -> dict[str, str]:
    """The same as `deltalake` takes it."""
    api = endpoint()
    details = {"AWS_ENDPOINT_URL": api.url, "AWS_REGION": api.region, "AWS_ALLOW_HTTP": "true" * api.is_plain_http}
    return {name: value for name, value in details.items() if value}


def failure(error: Exception) -> StorageError | None:
    """What an S3 service failed with, in one line, of an error by obstore or deltalake; None for any other error."""
    text = _DECORATION.sub("", str(error).partition("\n\nDebug source")[0])
    if not _FAILED.search(text):
        return None
    answer = _ANSWER.search(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    message = f"{answer['code']}: {answer['message'] or ''}" if answer else lines[-1]
    return StorageError(
        f"the lake's S3 service failed: {message.strip(': ')}",
        where=endpoint().url or "AWS",
        fix="see that lake and AWS's variables are right (docs/s3.md) and that the service answers, and run again",
        retryable=not (answer and answer["code"] in _PERMANENT),
    )
