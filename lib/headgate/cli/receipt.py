"""`headgate receipt`: one upload, from landing to silver."""

from __future__ import annotations

import sys
from typing import Any

import click

from headgate.cli.options import Target, print_json, target_options
from headgate.contracts.contract import Contract
from headgate.contracts.environment import Environment
from headgate.errors import UsageError, suggestion
from headgate.lake.landing import head_of
from headgate.lake.upload_identity import Upload, parse_upload_id
from headgate.ledger.ledger import Ledger
from headgate.planning.graph import Graph, load_graph

_SHOWN_REJECTIONS = 20


@click.command("receipt")
@click.argument("upload")
@target_options
def command(target: Target, upload: str) -> None:
    """Follow UPLOAD: landed, in bronze, and in each silver table with its counts and reasons.

    Ends with 1 where the upload has not landed.
    """
    graph = load_graph(target.project)
    result = follow(target.environment, graph, _parsed(upload, graph))
    if target.as_json:
        print_json(result)
    elif result["landed"] is not None or result["bronze"] is not None:
        _print(result)
    if result["landed"] is None:
        if not target.as_json:
            _print_unknown(target)
        sys.exit(1)


def _print_unknown(target: Target) -> None:
    """Says where the upload was looked for, and what to do."""
    environment = target.environment
    click.echo(
        f"no upload with this id has landed in {environment.lake} (environment {environment.name})\n"
        "  to do: check the id and --env; where the sender has no receipt, it sends the file again",
        err=True,
    )


def _parsed(text: str, graph: Graph) -> Upload:
    upload = parse_upload_id(text)
    if upload is None:
        raise UsageError(
            f"'{text}' is not an upload id", fix="an id is dataset.yyyymmddhh.store.hash, as in the receipt"
        )
    if upload.dataset not in graph.contracts:
        raise UsageError(f"no dataset '{upload.dataset}'.{suggestion(upload.dataset, graph.contracts)}", where=text)
    return upload


def follow(environment: Environment, graph: Graph, upload: Upload) -> dict[str, Any]:
    """The progress of an upload: landed, bronze, and the receipts and rejected records of the tables that read it."""
    from headgate.views import rows

    ledger = Ledger(environment)
    tables = []
    for node in graph.readers(f"bronze.{upload.dataset}"):
        counts = rows.receipt(ledger, node.name, upload.id) if ledger.open(node.name) else None
        rejected = rows.rejections(ledger, node.name, upload.id, _SHOWN_REJECTIONS) if counts else []
        tables.append({"table": node.name, "counts": counts, "rejected": rejected})
    return {
        "upload": upload.id,
        "store": upload.store,
        "landed": _landed(environment, graph.contracts[upload.dataset], upload),
        "bronze": rows.bronze_receipt(ledger, upload),
        "tables": tables,
    }


def _landed(environment: Environment, contract: Contract, upload: Upload) -> dict[str, Any] | None:
    store = environment.object_store()
    for suffix in contract.suffixes:
        if meta := head_of(store, upload.path(suffix)):
            received = meta["last_modified"].replace(microsecond=0)
            return {"object": meta["path"], "bytes": meta["size"], "received": received}
    return None


def _print(receipt: dict[str, Any]) -> None:
    click.echo(f"upload  {receipt['upload']}")
    landed, bronze = receipt["landed"], receipt["bronze"]
    click.echo(
        f"landed  {landed['received']}  {landed['bytes']:,} bytes  {landed['object']}" if landed else "landed  no"
    )
    in_bronze = (
        f"{bronze['receipt']['records']:,} records, sha256 {bronze['receipt']['sha256'][:12]}…" if bronze else ""
    )
    click.echo(f"bronze  {in_bronze or 'not yet: headgate run'}")
    for table in receipt["tables"]:
        counts = {k: v for k, v in (table["counts"] or {}).items() if isinstance(v, int) and v}
        join = " ".join(f"{name}={value}" for name, value in counts.items()) or "no records"
        click.echo(f"{table['table']}  {join if table['counts'] else 'not yet: headgate run'}")
        for record in table["rejected"]:
            click.echo(f"  record {record['record']} rejected: {'; '.join(map(_reason, record['reasons']))}")


def _reason(reason: dict[str, str | None]) -> str:
    value = f" ({reason['value']})" if reason["value"] else ""
    return f"{reason['column']} {reason['rule']}{value}".strip()
