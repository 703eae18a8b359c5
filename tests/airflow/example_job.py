"""A job for tests, started by spark-submit: it writes the files of a run of Headgate, as `control.json` defines.

`control.json` in the lake: {"seconds": how long to work, "exit_code", "error", "tables": [the report's tables],
"consume": whether the landed uploads are new no longer}.
Each start adds an object below `starts/`, so that tests can count how often work was done.
"""

import json
import os
import sys
import time
import uuid
from datetime import UTC, datetime
from urllib.parse import urlsplit

import boto3

BUCKET = "lake"


def main(arguments: list[str]) -> int:
    assert arguments[0] == "--run-id", arguments
    run = arguments[1]
    s3 = boto3.client("s3")

    def put(path: str, value: object) -> None:
        s3.put_object(Bucket=BUCKET, Key=f"retail/{path}", Body=json.dumps(value).encode())

    put(
        f"starts/{run}/{uuid.uuid4()}",
        {"arguments": arguments[2:], "at": time.time(), "endpoint": urlsplit(os.environ["AWS_ENDPOINT_URL"]).port},
    )
    control = json.loads(s3.get_object(Bucket=BUCKET, Key="retail/control.json")["Body"].read())
    time.sleep(control.get("seconds", 0))
    if control.get("consume"):  # as a run that builds bronze: the next plan finds nothing new
        for item in s3.list_objects_v2(Bucket=BUCKET, Prefix="retail/landing/").get("Contents", []):
            s3.delete_object(Bucket=BUCKET, Key=item["Key"])
    now = datetime.now(UTC)
    put(f"runs/dt={now:%Y-%m-%d}/{run}.json", {"run": run, "tables": control.get("tables", [])})
    put(
        f"jobs/{run}.json",
        {"run": run, "exit_code": control.get("exit_code", 0), "error": control.get("error"), "log": ""},
    )
    return control.get("exit_code", 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
