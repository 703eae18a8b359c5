"""The receiver's landing on the server of `--lake`: the same upload, sent twice at the same moment, is landed once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import obstore

from headgate.contracts.contract import load_contracts
from headgate.contracts.environment import load_environment
from headgate.project import Project
from ingest_api.landing.body import Body
from ingest_api.landing.land import Landing, land
from ingest_api.storage import open_storage
from tests.s3.lakes import OnS3
from tests.s3.servers import Server

SENDERS, UPLOADS = 16, 20


def test_an_upload_that_sixteen_send_at_once_lands_once(s3_server: Server, repository: Project, tmp_path: Path) -> None:
    environment = load_environment(repository, environ={"HEADGATE_LAKE": OnS3(s3_server).address(tmp_path)})
    contract, store = load_contracts(repository)["transactions"], environment.object_store()
    storage = open_storage(environment)
    storage.probe()

    def send(number: int) -> Landing:
        return land(storage, contract, "store-1", f"key-{number // SENDERS}", Body(BytesIO(b"x" * 1000)))

    with ThreadPoolExecutor(SENDERS) as pool:
        landings = list(pool.map(send, range(SENDERS * UPLOADS)))
    assert sum(not landing.replayed for landing in landings) == UPLOADS
    assert len(obstore.list(store, "landing/").collect()) == UPLOADS
