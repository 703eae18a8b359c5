"""The receiver on a disk that is full or read-only: 503, nothing half landed, and the same upload lands later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from headgate.project import Project
from tests.system.disks import Disk, small_disk
from tests.system.test_receiver import landed, post, receiver

BODY = b"x" * 300_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk", megabytes=4) as mounted:
        yield mounted


def put_off(answer: httpx.Response) -> bool:
    """Whether an upload was refused in a way that makes a store's client try again."""
    return (answer.status_code, answer.headers.get("Retry-After")) == (503, "5")


@pytest.mark.parametrize("room", [0, 100_000])
def test_an_upload_for_which_there_is_no_room_is_put_off_and_lands_when_there_is(
    repository: Project, tmp_path: Path, disk: Disk, room: int
) -> None:
    lake = disk.folder / "lake"
    with receiver(repository.root, lake, tmp_path / "log") as (url, _):
        assert post(url, b"before", "before").status_code == 201
        disk.fill(leave=room)
        assert put_off(post(url, BODY, "big"))
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert list(landed(lake).values()) == [b"before"]
        assert list((lake / "incoming").glob("*")) == []  # a retry would find less room each time
        disk.empty()
        assert post(url, BODY, "big").status_code == 201
    assert sorted(landed(lake).values()) == [b"before", BODY]


def test_a_read_only_lake_puts_uploads_off_and_says_that_it_is_not_ready(
    repository: Project, tmp_path: Path, disk: Disk
) -> None:
    lake = disk.folder / "lake"
    with receiver(repository.root, lake, tmp_path / "log") as (url, _):
        assert post(url, b"before", "before").status_code == 201
        disk.make("ro")
        assert put_off(post(url, BODY, "big"))
        assert httpx.get(f"{url}/readyz").status_code == 503
        disk.make("rw")
        assert post(url, BODY, "big").status_code == 201
    assert sorted(landed(lake).values()) == [b"before", BODY]
    assert "Read-only file system" in (tmp_path / "log").read_text()


def test_a_full_disk_of_temporary_files_stops_no_upload(repository: Project, tmp_path: Path, disk: Disk) -> None:
    with receiver(repository.root, tmp_path / "lake", tmp_path / "log", TMPDIR=str(disk.folder)) as (url, _):
        disk.fill()
        assert post(url, b"x" * 2_000_000, "big").status_code == 201
        assert [len(body) for body in landed(tmp_path / "lake").values()] == [2_000_000]
