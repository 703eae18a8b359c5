"""A table's contract: its public schema, from an ODCS document in conf/tables.

It publishes the columns with their types, descriptions, classification and owner, and `differences`
refuses a table whose schema would change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headgate.contracts import odcs
from headgate.contracts.contract import Field, read_document
from headgate.document import Invalid, Place, Problem, as_error
from headgate.errors import ContractError, suggestion
from headgate.modules import table_names
from headgate.project import Project

_LOGGED = {"int": "integer", "bigint": "long"}  # types under another name in a table's log; the rest keep theirs
_SHOWN = {logged: plain for plain, logged in _LOGGED.items()}


@dataclass(frozen=True)
class TableContract:
    """One table. `hash` is SHA-256 over the document's content: neither its comments nor its layout count."""

    table: str
    version: str
    description: str
    owner: str
    fields: tuple[Field, ...]
    hash: str
    path: Path


def load_table_contracts(project: Project) -> dict[str, TableContract]:
    """The contracts of conf/tables, by table. Raises ContractError with the problems of every file."""
    tables = table_names(project)
    results: dict[str, TableContract] = {}
    problems: list[Problem] = []
    for path in sorted(project.tables.rglob("*.y*ml")):
        table = ".".join(path.relative_to(project.tables).with_suffix("").parts)
        try:
            results[table] = TableContract(table, **read_document(path, project, odcs.TABLE_CONTRACT).published())
        except Invalid as invalid:
            problems.extend(invalid.problems)
        if table not in tables:
            problems.append(_no_table(table, tables, project.relative(path)))
    if problems:
        raise as_error(ContractError, problems)
    return results


def _no_table(table: str, tables: list[str], file: str) -> Problem:
    message = f"no table '{table}'.{suggestion(table, tables)}"
    return Problem(Place(file), "", message, "name the file conf/tables/<layer>/<table>.yaml after a module in jobs")


def differences(contract: TableContract, columns: Mapping[str, Any]) -> list[str]:
    """What a table's columns (name -> type, as `ledger.schema_of` gives them) have other than its contract says.

    Columns that are missing, that the contract does not name, or that have another type; their order does not
    count, and neither do Headgate's own columns.
    """
    wanted = {field.name: logged_type(field) for field in contract.fields}
    undeclared = {name: kind for name, kind in columns.items() if name not in wanted and not name.startswith("_")}
    missing = [
        f"'{name}' is missing; the contract says {_shown(kind)}.{suggestion(name, undeclared)}"
        for name, kind in wanted.items()
        if name not in columns
    ]
    other = [
        f"'{name}' is {_shown(columns[name])}; the contract says {_shown(kind)}"
        for name, kind in wanted.items()
        if name in columns and columns[name] != kind
    ]
    return missing + other + [f"'{name}' ({_shown(kind)}) is not in the contract" for name, kind in undeclared.items()]


def logged_type(field: Field) -> Any:
    """The field's type as a table's log has it, without nullability."""
    if field.type == "struct":
        return {"type": "struct", "fields": [{"name": f.name, "type": logged_type(f)} for f in field.fields]}
    if field.type == "array" and field.item:
        return {"type": "array", "elementType": logged_type(field.item)}
    if field.type == "decimal":
        return f"decimal({field.precision},{field.scale})"
    return _LOGGED.get(field.type, field.type)


def _shown(kind: Any) -> str:
    """A type of a table's log in Spark's DDL."""
    if not isinstance(kind, dict):
        return _SHOWN.get(kind, str(kind))
    if kind["type"] == "struct":
        fields = (f"{field['name']}: {_shown(field['type'])}" for field in kind["fields"])
        return f"struct<{', '.join(fields)}>"
    if kind["type"] == "array":
        return f"array<{_shown(kind['elementType'])}>"
    return f"map<{_shown(kind['keyType'])}, {_shown(kind['valueType'])}>"
