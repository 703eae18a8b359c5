"""Writes the module of a proposed silver or gold table."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.contracts.contract import Contract
from headgate.propose.columns import Measure, day_column, sequence_column

_IMPORT_FUNCTIONS = "from pyspark.sql import functions as F\n"


def silver_module(table: str, contract: Contract) -> str:
    """Returns the module of a silver table with the newest version of each record of a dataset.

    `table` is the name without its layer. Without a primary key each record of an upload becomes a row.
    """
    day, sequence = day_column(contract), sequence_column(contract)
    keys = list(contract.key) or ["upload", "record"]
    merge = f"Merge(keys={_names(keys)}" + (f', sequence_by="{sequence}"' if sequence else "") + ")"
    selected = [] if contract.key else [f'F.col("_source.{name}").alias("{name}")' for name in keys]
    for field in contract.fields:
        selected.append(f'"{field.name}"')
        if day is not None and field.name == day[0]:
            selected.append(f'F.to_date("{day[0]}").alias("{day[1]}")')
    uses_functions = day is not None or not contract.key
    grain = f"One row per {' and '.join(contract.key)}, as last sent." if contract.key else "One row per record sent."
    return (
        f"from pyspark.sql import DataFrame\n{_IMPORT_FUNCTIONS if uses_functions else ''}\n"
        "from headgate import SOURCE, Changes, Merge, table\n\n\n"
        f'@table(\n    "silver.{table}",\n    reads={{"uploads": Changes("bronze.{contract.dataset}")}},\n'
        f"{_key_remark(contract)}    writes={merge},\n)\n"
        f'def {table}(uploads: DataFrame) -> DataFrame:\n    """{grain}"""\n'
        f"    return uploads.select(\n{_lines([*selected, 'SOURCE'])}    )\n"
    )


def _key_remark(contract: Contract) -> str:
    if contract.key:
        return ""
    return "    # The contract has no primaryKey: a record that is sent again becomes a second row.\n"


def gold_module(table: str, source: str, by: Sequence[str], measures: list[Measure]) -> str:
    """Returns the module of a gold table with one row per value of the columns `by` of the silver table `source`."""
    parameter = source.partition(".")[2]
    aggregates = ['F.count("*").alias("row_count")', *(measure.expression for measure in measures)]
    groups = ", ".join(f'"{name}"' for name in by)
    return (
        f"from pyspark.sql import DataFrame\n{_IMPORT_FUNCTIONS}\n"
        "from headgate import Affected, Replace, table\n\n\n"
        f'@table(\n    "gold.{table}",\n    reads={{"{parameter}": Affected("{source}", by={_names(by)})}},\n'
        f"    writes=Replace(by={_names(by)}),\n)\n"
        f'def {table}({parameter}: DataFrame) -> DataFrame:\n    """One row per {" and ".join(by)}."""\n'
        f"    return {parameter}.groupBy({groups}).agg(\n{_lines(aggregates)}    )\n"
    )


def _names(names: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def _lines(items: list[str]) -> str:
    return "".join(f"        {item},\n" for item in items)
