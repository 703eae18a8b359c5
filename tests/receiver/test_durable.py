"""An upload is durable before it is acknowledged: what is synced, and in which order."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from obstore.store import LocalStore

from ingest_api.storage.base import Facts
from ingest_api.storage.folder import FolderStorage

PATH = "landing/sales/dt=2026-03-02/hour=12/sales.2026030212.shop.0123.jsonl"
BODY = b'{"id": 1}\n' * 1000


@dataclass(frozen=True)
class Sync:
    """One call of fsync: what was synced, how large it was, and whether the object had its name already."""

    inode: int
    size: int
    is_named: bool


@pytest.fixture
def storage(tmp_path: Path) -> FolderStorage:
    folder = tmp_path / "lake"
    folder.mkdir()
    return FolderStorage(LocalStore(folder), folder)


@pytest.fixture
def syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Sync]:
    """Every fsync of this process, which still syncs."""
    calls: list[Sync] = []
    fsync = os.fsync

    def recorded(descriptor: int) -> None:
        fsync(descriptor)
        status = os.fstat(descriptor)
        calls.append(Sync(status.st_ino, status.st_size, (tmp_path / "lake" / PATH).exists()))

    monkeypatch.setattr(os, "fsync", recorded)
    return calls


def test_the_whole_body_is_synced_before_it_has_its_name(
    storage: FolderStorage, syncs: list[Sync], tmp_path: Path
) -> None:
    """Else a power failure could leave a file of the right name without its bytes."""
    assert storage.create(PATH, BODY, Facts(datetime.now(UTC)))
    content = (tmp_path / "lake" / PATH).stat().st_ino
    assert Sync(content, len(BODY), is_named=False) in syncs


def test_every_folder_above_is_synced_after_the_object_has_its_name(
    storage: FolderStorage, syncs: list[Sync], tmp_path: Path
) -> None:
    """Else a power failure could take the name away after the acknowledgement."""
    assert storage.create(PATH, BODY, Facts(datetime.now(UTC)))
    place = tmp_path / "lake" / PATH
    folders = [place.parent, *place.relative_to(tmp_path).parents]
    inodes = {(tmp_path / folder).stat().st_ino for folder in folders}
    assert inodes <= {sync.inode for sync in syncs if sync.is_named}


def test_an_object_that_another_process_made_is_synced_before_a_receipt_names_it(
    storage: FolderStorage, syncs: list[Sync], tmp_path: Path
) -> None:
    """That process may have died between the name and the sync."""
    place = tmp_path / "lake" / PATH
    place.parent.mkdir(parents=True)
    place.write_bytes(BODY)
    assert storage.find(PATH) is not None
    assert {place.stat().st_ino, place.parent.stat().st_ino} <= {sync.inode for sync in syncs}


def test_a_long_body_is_synced_like_a_short_one(storage: FolderStorage, syncs: list[Sync], tmp_path: Path) -> None:
    writing = storage.create_long(PATH, Facts(datetime.now(UTC)))
    for _ in range(3):
        writing.write(BODY)
    assert writing.finish()
    content = (tmp_path / "lake" / PATH).stat().st_ino
    assert Sync(content, 3 * len(BODY), is_named=False) in syncs
