"""`headgate query`: SQL over gold, on DuckDB here or on Athena."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from headgate.cli.options import Target, print_json, target_options
from headgate.cli.output import print_table, progress
from headgate.cli.show import print_rows, rows_options
from headgate.errors import UsageError
from headgate.installed import require_installed
from headgate.queries.saved import load_queries, saved_query

if TYPE_CHECKING:
    import pyarrow as pa

    from headgate.queries.sql import Query


@click.command("query")
@click.argument("name", required=False)
@click.option("--sql", metavar="SQL", help="A SELECT in Athena's SQL, instead of the name of a query in conf/queries.")
@click.option(
    "--engine",
    type=click.Choice(["duckdb", "athena"]),
    help="Where it runs.  [default: athena where the environment has catalog.workgroup, else duckdb]",
)
@click.option("--dry-run", is_flag=True, help="Check the query and print it as the engine gets it; run nothing.")
@rows_options
@target_options
def command(
    target: Target, name: str | None, sql: str | None, engine: str | None, dry_run: bool, limit: int, shape: str | None
) -> None:
    """Run SQL over gold tables: the query NAME of conf/queries, or --sql. Without either: list the queries.

    Tables are named as in Athena (daily_store_sales) or with their layer (gold.daily_store_sales).
    """
    if name is None and sql is None:
        _list(target)
        return
    if name is not None and sql is not None:
        raise UsageError("a NAME and --sql exclude each other", where="query", fix="give one of them")
    query = _parsed(target, name, sql)
    engine = engine or ("athena" if target.environment.catalog.workgroup else "duckdb")
    if dry_run:
        click.echo(_text(target, query, engine))
        return
    rows = _on_athena(target, query, limit) if engine == "athena" else _on_duckdb(target, query, limit)
    print_rows(target, rows, shape)


def _list(target: Target) -> None:
    """Prints the queries of the project."""
    queries = load_queries(target.project)
    if target.as_json:
        print_json({"queries": [{"name": q.name, "description": q.description} for q in queries.values()]})
        return
    if not queries:
        click.echo("no queries: write conf/queries/NAME.sql, or headgate query --sql 'SELECT ...'")
        return
    print_table(["query", "what it answers"], [(query.name, query.description) for query in queries.values()])


def _parsed(target: Target, name: str | None, sql: str | None) -> Query:
    """The query as parsed SQL. Raises SetupError without sqlglot, UsageError for what is no SELECT."""
    require_installed("sqlglot", "duckdb", extra="query", where="query")
    from headgate.queries.sql import InvalidQuery, parsed

    try:
        if sql is not None:
            return parsed(sql, "--sql")
        query = saved_query(target.project, str(name))
        return parsed(query.sql, target.project.relative(query.path))
    except InvalidQuery as error:
        raise error.as_error() from error


def _text(target: Target, query: Query, engine: str) -> str:
    from headgate.ledger.ledger import Ledger
    from headgate.queries.local import translated
    from headgate.queries.sql import InvalidQuery, for_athena

    try:
        return for_athena(query) if engine == "athena" else translated(Ledger(target.environment), query)
    except InvalidQuery as error:
        raise error.as_error() from error


def _on_duckdb(target: Target, query: Query, limit: int) -> pa.Table:
    from headgate.ledger.ledger import Ledger
    from headgate.queries.local import run_locally
    from headgate.queries.sql import InvalidQuery

    try:
        return run_locally(Ledger(target.environment), query, limit or None)
    except InvalidQuery as error:
        raise error.as_error() from error


def _on_athena(target: Target, query: Query, limit: int) -> pa.Table:
    """The rows by Athena; what the query scanned goes to standard error, on a terminal."""
    from headgate.cli.catalog import require_catalog
    from headgate.queries.sql import InvalidQuery, for_athena

    require_catalog(target)
    require_installed("boto3", extra="aws", where="query")
    from headgate.aws.catalog.athena import Athena
    from headgate.aws.clients import BotoClients, aws_errors

    catalog = target.environment.catalog
    if not catalog.workgroup:
        where = target.project.relative(target.environment.path)
        raise UsageError("no Athena workgroup", where=where, fix="set catalog.workgroup, or --engine duckdb")
    try:
        text = for_athena(query)
    except InvalidQuery as error:
        raise error.as_error() from error
    with aws_errors(f"Athena workgroup {catalog.workgroup}"):
        athena = Athena(BotoClients(catalog.region).client("athena"), catalog.database, catalog.workgroup)
        result = athena.run(text, limit or None)
    progress(f"scanned {result.scanned_bytes / 1e6:,.1f} MB in {result.seconds:.1f} s")
    return result.rows
