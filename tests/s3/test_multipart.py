"""Files so large that they are sent in parts, by Headgate and by Spark; and parts that break on their way."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from headgate.contracts.contract import load_contracts
from headgate.contracts.environment import load_environment
from headgate.ledger.ledger import Ledger
from ingest_api.landing.body import Body
from ingest_api.landing.land import land
from ingest_api.storage import open_storage
from tests.chaos.proxy import misbehaving
from tests.contracts import json_lines
from tests.engine.world import write_project
from tests.processes import environ
from tests.s3.lakes import OnS3
from tests.s3.servers import Server

# S3 takes no smaller parts; by default Spark sends parts of 64 MB.
PARTS = "spark: {spark.hadoop.fs.s3a.multipart.size: 5M, spark.hadoop.fs.s3a.multipart.threshold: 5M}"
NOTES = {
    "conf/environments/local.yaml": f"lake: lake\nengine: local\n{PARTS}\n",
    "conf/datasets/notes.yaml": json_lines(
        "notes", "name: id, logicalType: integer, required: true, primaryKey: true", "name: text, logicalType: string"
    ),
    "jobs/silver/notes.py": """
        from headgate import SOURCE, Changes, Merge, table

        @table("silver.notes", reads={"uploads": Changes("bronze.notes")}, writes=Merge(["id"]))
        def notes(uploads):
            '''One row per note.'''
            return uploads.select("id", "text", SOURCE)
    """,
}
BROKEN = {"torn body": 3, "500": 1, "reset after": 1}
RECORDS, LETTERS = 400, 64_000


@pytest.mark.long
@pytest.mark.s3
def test_parts_that_are_torn_are_sent_again_and_the_files_are_whole(s3_server: Server, tmp_path: Path) -> None:
    project, lake = write_project(tmp_path / "project", NOTES), OnS3(s3_server).address(tmp_path)
    environment = load_environment(project, environ={"HEADGATE_LAKE": lake})
    drawn = random.Random(7)  # noqa: S311
    sent = {number: drawn.randbytes(LETTERS // 2).hex() for number in range(RECORDS)}
    body = "\n".join(json.dumps({"id": number, "text": text}) for number, text in sent.items()).encode()
    landed = open_storage(environment)
    land(landed, load_contracts(project)["notes"], "store-1", "key-1", Body(BytesIO(body)))

    with misbehaving(s3_server.endpoint, 0.3, faults=BROKEN, among=is_part) as (proxied, met):
        run = subprocess.run(
            [sys.executable, "-m", "headgate.cli", "run"],
            cwd=project.root,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env=environ(HEADGATE_LAKE=lake, AWS_ENDPOINT_URL=proxied),
        )

    assert run.returncode == 0, run.stdout + run.stderr
    print(f"\nof {met.total()} parts met a fault: {dict(met)}")
    assert met["torn body"] > 0
    built = Ledger(environment).open("silver.notes")
    assert built is not None
    rows = built.to_pyarrow_dataset().to_table(columns=["id", "text", "_state"]).to_pylist()
    assert {row["id"]: row["text"] for row in rows if row["_state"] == "live"} == sent


def is_part(method: str, path: str) -> bool:
    return method == "PUT" and "partNumber" in parse_qs(urlsplit(path).query)
