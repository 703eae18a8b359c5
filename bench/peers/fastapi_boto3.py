"""A receiver with FastAPI, uvicorn and boto3: the peer of bench/ingest.py.

It has the same guarantees as Headgate for a new upload: known key, exact bytes, a conditional PUT, then 201. It is
written to be fast: the body is not parsed, boto3 runs on a thread pool with a connection each, uvicorn uses uvloop
and httptools. Run it by `uvicorn --workers 2 fastapi_boto3:app`.
"""

import hashlib
import hmac
import os
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import anyio.to_thread
import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

THREADS = int(os.environ.get("PEER_THREADS", "64"))
DIGESTS = {hashlib.sha256(f"demo-store-{number}".encode()).hexdigest(): f"store-{number}" for number in range(1, 9)}
BUCKET = "bucket"


@asynccontextmanager
async def lifespan(app: FastAPI):
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


app = FastAPI(lifespan=lifespan)
s3 = boto3.client(
    "s3",
    config=Config(
        max_pool_connections=THREADS,
        s3={"addressing_style": "path"},
        request_checksum_calculation="when_required",
    ),
)


@app.get("/healthz")
async def healthz() -> dict:
    return {"status": "live"}


@app.post("/v1/datasets/{dataset}/uploads")
async def create_upload(dataset: str, request: Request) -> Response:
    store = store_of(request.headers.get("authorization", ""))
    key = request.headers.get("idempotency-key", "").strip('"')
    if store is None or not key:
        return JSONResponse({"detail": "no key"}, 401 if store is None else 400)
    body = await request.body()
    digest = hashlib.sha256(body).hexdigest()
    hour = datetime.now(UTC)
    name = hashlib.sha256(f"{store}/{dataset}/{key}".encode()).hexdigest()[:32]
    path = f"landing/{dataset}/dt={hour:%Y-%m-%d}/hour={hour:%H}/{name}.json"
    put = partial(s3.put_object, Bucket=BUCKET, Key=path, Body=body, IfNoneMatch="*", Metadata={"sha256": digest})
    try:
        await anyio.to_thread.run_sync(put)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 412:
            raise
        return JSONResponse({"detail": "exists"}, 409)
    return JSONResponse({"upload": name, "store": store, "bytes": len(body), "sha256": digest}, 201)


def store_of(authorization: str) -> str | None:
    digest = hashlib.sha256(authorization.removeprefix("Bearer ").encode()).hexdigest()
    return next((store for known, store in DIGESTS.items() if hmac.compare_digest(known, digest)), None)
