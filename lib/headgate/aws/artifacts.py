"""Packages in S3: each is uploaded once, and one of them is current. A rollback makes the previous package current.

<artifacts>/<environment>/current.json                    the current version, and those before it
<artifacts>/<environment>/packages/<version>/             manifest.json, package.json, entry.py
<artifacts>/<environment>/app-..., environment-..., jars/ files that versions share, named by their content
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from headgate.aws.package.package import Package
from headgate.errors import UsageError
from headgate.planning.manifest import CURRENT, CurrentPackage, manifest_path

_HISTORY = 20
#: A package that is younger than this may still be in use by a job whose executors have not started.
_LEAST_AGE = timedelta(days=2)


class Artifacts:
    """The packages of one environment. `client` is boto3's `s3`, `address` is s3://bucket/prefix/<environment>."""

    def __init__(self, client: Any, address: str) -> None:
        self._client, self.address = client, address
        self._bucket, _, self._prefix = address.removeprefix("s3://").partition("/")

    def upload(self, package: Package, manifest: str, tell: Callable[[str], None]) -> int:
        """Uploads the files that are missing; returns the bytes sent. The package is usable when this returns."""
        sent = 0
        for file in package.files:
            name = f"packages/{package.version}/{file.name}" if file.name == "entry.py" else file.name
            if self._size(name) == file.size and file.name != "entry.py":
                continue
            tell(f"uploading {file.name} ({file.size / 1e6:,.1f} MB)")
            self._client.upload_file(str(file.path), self._bucket, self._key(name))
            sent += file.size
        folder = f"packages/{package.version}"
        self._put(f"{folder}/package.json", json.dumps(package.as_dict(), indent=1))
        self._put(manifest_path(package.version), manifest)
        return sent

    def current(self) -> list[str]:
        """The current version and those before it, the newest first; empty where nothing is deployed."""
        text = self._get(CURRENT)
        return list(CurrentPackage.from_json(text, f"{self.address}/{CURRENT}").versions) if text else []

    def manifest(self, version: str) -> str:
        """A version's manifest. Raises UsageError where there is none."""
        text = self._get(manifest_path(version))
        if text is None:
            raise UsageError(f"no package {version}", where=self.address, fix="headgate deploy")
        return text

    def activate(self, version: str) -> list[str]:
        """Makes a version the current one; returns the new list of versions."""
        versions = [version, *(other for other in self.current() if other != version)][:_HISTORY]
        self._point_to(versions)
        return versions

    def rollback(self) -> tuple[str, str]:
        """Makes the previous version current; returns (from, to). Raises UsageError if there is none."""
        versions = self.current()
        if len(versions) < 2:
            raise UsageError("there is no earlier package", where=self.address, fix="deploy a corrected package")
        self.manifest(versions[1])  # that it was not removed
        self._point_to(versions[1:])
        return versions[0], versions[1]

    def expire(self, keep: int) -> list[str]:
        """Removes the packages beyond the newest `keep`, and files that no package uses; returns their names.

        The current and the previous package are kept, and files younger than two days.
        """
        packages = self._packages()
        newest = sorted(packages, key=lambda version: packages[version], reverse=True)
        limit = datetime.now(UTC) - _LEAST_AGE
        unused = [v for v in newest[keep:] if v not in self.current()[:2] and packages[v] < limit]
        kept = [self._files_of(version) for version in packages if version not in unused]
        needed = {name for names in kept for name in names}
        names = []
        for name, modified in self._list(""):
            in_unused = any(name.startswith(f"packages/{version}/") for version in unused)
            shared = name.startswith(("app-", "environment-", "jars/")) and name not in needed and modified < limit
            if in_unused or shared:
                self._client.delete_object(Bucket=self._bucket, Key=self._key(name))
                names.append(name)
        return names

    def _packages(self) -> Mapping[str, datetime]:
        """Version -> when it was uploaded."""
        return {
            name.split("/")[1]: modified
            for name, modified in self._list("packages/")
            if name == manifest_path(name.split("/")[1])
        }

    def _files_of(self, version: str) -> list[str]:
        text = self._get(f"packages/{version}/package.json")
        return [file["name"] for file in json.loads(text)["files"]] if text else []

    def _point_to(self, versions: list[str]) -> None:
        manifest = f"{self.address}/{manifest_path(versions[0])}"
        self._put(CURRENT, CurrentPackage(manifest, tuple(versions)).to_json())

    def _list(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Name below the address -> when it was last modified."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._key(prefix))
        start = len(self._key(""))
        for page in pages:
            for item in page.get("Contents", ()):
                yield item["Key"][start:], item["LastModified"]

    def _size(self, name: str) -> int | None:
        try:
            return self._client.head_object(Bucket=self._bucket, Key=self._key(name))["ContentLength"]
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
                return None
            raise

    def _get(self, name: str) -> str | None:
        try:
            return self._client.get_object(Bucket=self._bucket, Key=self._key(name))["Body"].read().decode()
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                return None
            raise

    def _put(self, name: str, text: str) -> None:
        self._client.put_object(Bucket=self._bucket, Key=self._key(name), Body=text.encode())

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name
