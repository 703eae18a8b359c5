"""Writes a proposed contract as YAML, with remarks where a person has to decide."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from headgate.contracts.upload_format import CsvDialect
from headgate.errors import UsageError
from headgate.propose.inference import Column, Inferred
from headgate.propose.sample import Sample

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_DATASET = re.compile(r"[a-z][a-z0-9_]*")
#: Words that YAML reads as something else than text.
_YAML_WORDS = re.compile(r"(y|n|yes|no|on|off|true|false|null|~)", re.IGNORECASE)
_MAX_OTHER_KEYS = 3  # that a remark names


def dataset_name(stem: str) -> str:
    """Returns a dataset's name for a file's name without suffix: lower case, without a date at its end."""
    name = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")
    return re.sub(r"(_?\d+)+$", "", name) or f"d{name}"


def check_names(dataset: str, inferred: Inferred, sample: Sample) -> None:
    """Raises UsageError where the dataset or a column has a name that a contract does not take."""
    if not _DATASET.fullmatch(dataset):
        raise UsageError(
            f"'{dataset}' is not a dataset's name",
            where="--name",
            fix="use lower-case letters, digits and _, beginning with a letter",
        )
    _check_level(inferred.columns, sample)


def _check_level(columns: Sequence[Column], sample: Sample) -> None:
    """Raises UsageError where two columns of a level would have one name in the contract."""
    seen: dict[str, str] = {}
    for column in columns:
        name = contract_name(column.name)
        other = seen.setdefault(name.lower(), column.name)
        if other != column.name:
            raise UsageError(
                f"the columns '{other}' and '{column.name}' would both be named '{name}'",
                where=str(sample.path),
                fix="rename one of them in the program that writes the file",
            )
        _check_level(column.properties, sample)
        if column.items is not None:
            _check_level(column.items.properties, sample)


def contract_name(name: str) -> str:
    """Returns the name that a column of a file gets in a contract: its own, or one of letters, digits and `_`."""
    if _NAME.fullmatch(name):
        return name
    plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lower()
    return plain if plain[:1].isalpha() else f"column_{plain}".rstrip("_")


def contract_text(dataset: str, sample: Sample, inferred: Inferred, owner: str) -> str:
    """Returns the contract as YAML. The first of the inferred keys becomes the primary key."""
    key = inferred.keys[0] if inferred.keys else ()
    lines = [
        *_head(dataset, sample, inferred),
        "apiVersion: v3.1.0",
        "kind: DataContract",
        f"id: {dataset}",
        "version: 1.0.0",
        f"team: {{name: {json.dumps(owner, ensure_ascii=False)}}}",
        "",
        "schema:",
        f"  - name: {dataset}",
        "    description: One record of the file. # describe a record",
        "    properties:",
    ]
    for column in inferred.columns:
        lines += _column_lines(column, "      ", key)
    lines += ["", "customProperties:", *_custom(sample)]
    return "\n".join(lines) + "\n"


def _head(dataset: str, sample: Sample, inferred: Inferred) -> Iterator[str]:
    count = len(sample.records)
    amount = f"all {count:,} records" if sample.whole else f"the first {count:,} records"
    yield f"# Proposed by `headgate new dataset {sample.path.name}` from {amount}: read every line, and correct it."
    yield f"# The file makes the table bronze.{dataset}."
    if not inferred.keys:
        yield "# Key: no combination of up to three columns is unique. Add primaryKey if you know the key."
    elif len(inferred.keys) > 1:
        others = [" + ".join(key) for key in inferred.keys[1 : 1 + _MAX_OTHER_KEYS]]
        yield f"# Key: {' + '.join(inferred.keys[0])}. Also different in every record: {', '.join(others)}."
    if inferred.duplicates:
        yield f"# {inferred.duplicates:,} records are equal to an earlier record."


def _column_lines(column: Column, indent: str, key: Sequence[str]) -> Iterator[str]:
    for note in column.notes:
        yield f"{indent}# {note}"
    plain = contract_name(column.name)
    name = f'"{plain}"' if _YAML_WORDS.fullmatch(plain) else plain
    yield f"{indent}- name: {name}"
    inner = indent + "  "
    if plain != column.name:
        yield f"{inner}physicalName: {json.dumps(column.name, ensure_ascii=False)} # the name in the file"
    yield from _type_lines(column, inner)
    if column.required:
        yield f"{inner}required: true"
    if column.name in key:
        yield f"{inner}primaryKey: true"
        if len(key) > 1:
            yield f"{inner}primaryKeyPosition: {key.index(column.name) + 1}"
    yield from _nested_lines(column, inner)


def _type_lines(column: Column, indent: str) -> Iterator[str]:
    yield f"{indent}logicalType: {column.logical_type}"
    if column.physical_type:
        yield f"{indent}physicalType: {column.physical_type}"


def _nested_lines(column: Column, indent: str) -> Iterator[str]:
    if column.properties:
        yield f"{indent}properties:"
        for child in column.properties:
            yield from _column_lines(child, indent + "  ", ())
    if column.items is not None:
        yield f"{indent}items:"
        for note in column.items.notes:
            yield f"{indent}  # {note}"
        yield from _type_lines(column.items, indent + "  ")
        yield from _nested_lines(column.items, indent + "  ")


def _custom(sample: Sample) -> Iterator[str]:
    yield f"  - {{property: headgate.format, value: {sample.format}}}"
    plain = CsvDialect()
    for name in ("delimiter", "quote", "escape"):
        value = getattr(sample.dialect, name)
        if value != getattr(plain, name):
            yield f"  - {{property: headgate.csv.{name}, value: {json.dumps(value)}}}"
