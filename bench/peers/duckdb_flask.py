"""A peer of the read API: DuckDB behind Flask, as an engineer writes it in an hour. It runs any SQL it is sent.

It reads the Parquet files of the newest version as a view, once at the start; no keys, versions, scopes or cursors.
"""

import json
import os
import threading

import duckdb
from deltalake import DeltaTable
from flask import Flask, Response, request

app = Flask(__name__)
files = DeltaTable(os.environ["TABLE"]).file_uris()
database = duckdb.connect(config={"threads": 2})
database.execute("SET parquet_metadata_cache = true")
database.execute(f"CREATE VIEW fct_sales AS SELECT * FROM read_parquet({files})")
local = threading.local()


@app.post("/sql")
def sql() -> Response:
    """Runs the body as SQL and returns a JSON list of rows."""
    if not hasattr(local, "cursor"):
        local.cursor = database.cursor()
    result = local.cursor.execute(request.get_data(as_text=True))
    names = [column[0] for column in result.description]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return Response(json.dumps(rows, default=str), content_type="application/json")
