"""A contract: the schema of an uploaded dataset, from its ODCS document in conf/datasets."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from headgate.contracts import odcs
from headgate.contracts.allowed import ANYTHING, Allowed, limit_problems, read_allowed
from headgate.contracts.upload_format import COMPRESSED, CsvDialect, compressions, format_problems, read_dialect
from headgate.document import Document, Invalid, Place, Problem, Trail, as_error, check, load_document
from headgate.errors import ContractError
from headgate.project import Project

SCALARS = ("string", "int", "bigint", "decimal", "double", "boolean", "date", "timestamp")

_SUFFIX = {"json": ".json", "json_array": ".json", "jsonl": ".jsonl", "csv": ".csv", "parquet": ".parquet"}
_MEDIA_TYPES = {
    "json": ("application/json",),
    "json_array": ("application/json",),
    "jsonl": ("application/x-ndjson", "application/jsonl"),
    "csv": ("text/csv",),
    "parquet": ("application/vnd.apache.parquet",),
}
_PLAIN = {"object": "struct"}  # logical types under another name; the rest keep theirs
_DECIMAL = re.compile(r"decimal\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)")
_COLUMNS: Trail = ("schema", 0, "properties")
_MOST_DIGITS = 38  # of a Spark decimal


@dataclass(frozen=True)
class Field:
    """A column, a field of an object, or the item of an array. `type` is `struct`, `array` or a type of SCALARS.

    `precision` and `scale` are a decimal's, `fields` a struct's, `item` an array's. `physical_name` is the name in an
    upload where it is another one.
    """

    name: str
    type: str
    required: bool
    description: str = ""
    fields: tuple[Field, ...] = ()
    item: Field | None = None
    precision: int = 0
    scale: int = 0
    classification: str = ""
    allowed: Allowed = ANYTHING
    physical_name: str = ""

    @property
    def sent_name(self) -> str:
        """The name that an upload has for the value."""
        return self.physical_name or self.name


@dataclass(frozen=True)
class Contract:
    """One dataset. `hash` is SHA-256 over the document's content: neither its comments nor its layout count."""

    dataset: str
    version: str
    description: str
    owner: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    format: str
    compressions: tuple[str, ...]
    csv: CsvDialect
    evolution: str
    max_record_bytes: int
    hash: str
    path: Path
    max_records: int = odcs.DEFAULT_MAX_RECORDS
    max_uncompressed_bytes: int = odcs.DEFAULT_MAX_UNCOMPRESSED_BYTES

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The media suffixes that a landed object may have, such as `.jsonl` and `.jsonl.gz`."""
        return tuple(_SUFFIX[self.format] + COMPRESSED[compression] for compression in self.compressions)

    @property
    def landed_suffix(self) -> str:
        """The suffix of a newly landed object. It does not depend on compression: a key always has the same path."""
        return _SUFFIX[self.format]

    @property
    def media_types(self) -> tuple[str, ...]:
        """The values of Content-Type that the receiver takes."""
        return _MEDIA_TYPES[self.format]

    def to_dict(self) -> dict[str, Any]:
        """The contract as plain JSON values; `from_dict` is the way back."""
        return {**asdict(self), "path": str(self.path)}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Contract:
        """The contract that `to_dict` gave. Raises KeyError or TypeError for anything else."""
        return cls(
            **{
                **value,
                "fields": tuple(_field_from(field) for field in value["fields"]),
                "key": tuple(value["key"]),
                "compressions": tuple(value["compressions"]),
                "csv": CsvDialect(**value["csv"]),
                "path": Path(value["path"]),
            }
        )


def _field_from(value: dict[str, Any]) -> Field:
    fields = tuple(_field_from(field) for field in value["fields"])
    item = _field_from(value["item"]) if value["item"] else None
    return Field(**{**value, "fields": fields, "item": item, "allowed": Allowed.from_dict(value["allowed"])})


def load_contracts(project: Project) -> dict[str, Contract]:
    """The contracts of conf/datasets, by dataset. Raises ContractError with the problems of every file."""
    results: dict[str, Contract] = {}
    problems: list[Problem] = []
    for path in sorted(project.datasets.glob("*.y*ml")):
        try:
            results[path.stem] = _read(path, project)
        except Invalid as invalid:
            problems.extend(invalid.problems)
    if problems:
        raise as_error(ContractError, problems)
    return results


def load_contract(path: Path, project: Project) -> Contract:
    """The contract in one file of `project`. Raises ContractError with every problem of the file."""
    try:
        return _read(path, project)
    except Invalid as invalid:
        raise as_error(ContractError, invalid.problems) from None


def _read(path: Path, project: Project) -> Contract:
    """The contract at `path`. Raises Invalid with every problem of the file."""
    return read_document(path, project, odcs.CONTRACT).contract()


def read_document(path: Path, project: Project, schema: Mapping[str, Any]) -> Reading:
    """The document at `path`, valid by `schema` and by ODCS's own. Raises Invalid with every problem of the file."""
    shown = project.relative(path)
    document = load_document(path, shown)
    problems = _check_suffix(path, shown) + check(document, schema, odcs.explain)
    reading = Reading(document, path, problems)
    _raise(reading.problems)
    _raise(odcs.published_problems(document))
    return reading


def _raise(problems: list[Problem]) -> None:
    if problems:
        raise Invalid(problems)


def _check_suffix(path: Path, shown: str) -> list[Problem]:
    if path.suffix == ".yaml":
        return []
    return [Problem(Place(shown), "", "a contract's file ends in .yaml", f"rename it to {path.stem}.yaml")]


def _hash(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class _Column:
    """A column as it is written, its place, and its meaning."""

    trail: Trail
    value: dict[str, Any]
    field: Field

    @property
    def in_key(self) -> bool:
        return bool(self.value.get("primaryKey"))

    @property
    def key_position(self) -> int:
        return int(self.value.get("primaryKeyPosition", 1))


class Reading:
    """Converts a document into a contract, and adds to `problems` the problems that the schemas cannot detect.

    It skips columns that a schema rejected, so that one pass reports all problems.
    """

    def __init__(self, document: Document, path: Path, problems: list[Problem]) -> None:
        self.problems = list(problems)
        self._document, self._path = document, path
        self._faulty = {_holder(problem.trail) for problem in problems}
        self._custom = self._read_custom()
        self._columns = self._read_columns(_COLUMNS)
        self._key = self._read_key()
        self._check_file_name()
        if self._custom.get("headgate.format") == "csv":
            self._check_flat()

    def contract(self) -> Contract:
        """The contract, of a document without problems."""
        custom = self._custom
        return Contract(
            dataset=self._document.value["schema"][0]["name"],
            **self.published(),
            key=self._key,
            format=custom["headgate.format"],
            compressions=compressions(custom),
            csv=read_dialect(custom),
            evolution=custom.get("headgate.evolution", "strict"),
            max_record_bytes=int(custom.get("headgate.maxRecordBytes", odcs.DEFAULT_MAX_RECORD_BYTES)),
            max_records=int(custom.get("headgate.maxRecords", odcs.DEFAULT_MAX_RECORDS)),
            max_uncompressed_bytes=int(
                custom.get("headgate.maxUncompressedBytes", odcs.DEFAULT_MAX_UNCOMPRESSED_BYTES)
            ),
        )

    def published(self) -> dict[str, Any]:
        """What the contracts of datasets and of tables both say, of a document without problems."""
        content = self._document.value
        return {
            "version": content["version"],
            "description": content["schema"][0].get("description", ""),
            "owner": content["team"]["name"],
            "fields": tuple(column.field for column in self._columns),
            "hash": _hash(content),
            "path": self._path,
        }

    def _wrong(self, trail: Trail, message: str, fix: str) -> None:
        self.problems.append(self._document.problem(trail, message, fix))

    # --- the custom properties

    def _read_custom(self) -> dict[str, Any]:
        """The custom properties by name, checked by a schema of their own."""
        results: dict[str, Any] = {}
        places: dict[Trail, Place] = {(): self._document.place(("customProperties",))}
        for index, item in enumerate(_list(self._document.at(("customProperties",)))):
            trail = ("customProperties", index)
            if trail in self._faulty:
                continue
            if item["property"] in results:
                self._wrong(trail, "is a duplicate", "keep one of the two")
            results[item["property"]] = item["value"]
            places[(item["property"],)] = self._document.place((*trail, "value"))
        custom = Document(self._document.file, results, places)
        if isinstance(self._document.at(("customProperties",)), list):
            self.problems.extend(check(custom, odcs.CUSTOM, odcs.explain) or format_problems(custom))
        return results

    # --- the columns

    def _read_columns(self, trail: Trail) -> list[_Column]:
        """The columns of the list at `trail`, without the faulty ones."""
        seen: dict[str, str] = {}
        sent_names: set[str] = set()
        results = []
        for index, column in enumerate(_list(self._document.at(trail))):
            at = (*trail, index)
            if at in self._faulty:
                continue
            if first := seen.get(column["name"].lower()):
                self._wrong(at, f"is '{first}' again: case is ignored", "rename one of them")
            seen.setdefault(column["name"].lower(), column["name"])
            sent = column.get("physicalName", column["name"])
            if sent in sent_names:
                self._wrong(at, f"'{sent}' is the name in the upload of two columns", "give one of them another")
            sent_names.add(sent)
            results.append(_Column(at, column, self._field(at, column)))
        return results

    def _field(self, trail: Trail, column: dict[str, Any]) -> Field:
        field = Field(
            name=column.get("name", ""),
            type=_PLAIN.get(column["logicalType"], column["logicalType"]),
            required=column.get("required", False),
            description=column.get("description", ""),
            classification=column.get("classification", ""),
            physical_name=column.get("physicalName", ""),
        )
        if trail[:-1] != _COLUMNS:
            self._check_no_key(trail, column)
        self._check_inner(trail, column)
        return self._with_limits(
            trail, column, self._with_inner(trail, column, self._with_physical(trail, column, field))
        )

    def _with_limits(self, trail: Trail, column: dict[str, Any], field: Field) -> Field:
        """`field` with the values that it allows."""
        mistakes = list(limit_problems(column, field.type))
        for at, message, fix in mistakes:
            self._wrong((*trail, *at), message, fix)
        return field if mistakes else replace(field, allowed=read_allowed(column))

    def _with_physical(self, trail: Trail, column: dict[str, Any], field: Field) -> Field:
        """`field` with the type that its physicalType makes of a number or an integer."""
        physical = column.get("physicalType")
        at = (*trail, "physicalType") if physical is not None else trail
        if field.type == "number":
            return self._number(at, physical, field)
        if field.type == "integer":
            if physical not in (None, "int", "bigint"):
                self._wrong(at, f"an integer of '{physical}' is not possible", "write int or bigint, or remove it")
            return replace(field, type=physical or "bigint")
        if physical is not None:
            self._wrong(at, f"a {column['logicalType']} has no physicalType in Headgate", "remove it")
        return field

    def _number(self, at: Trail, physical: str | None, field: Field) -> Field:
        if physical == "double":
            return replace(field, type="double")
        match = _DECIMAL.fullmatch(physical or "")
        precision, scale = (int(match.group(1)), int(match.group(2))) if match else (0, 0)
        if not (scale <= precision and 1 <= precision <= _MOST_DIGITS):
            message = f"a number of '{physical}' is not possible" if physical else "a number without a physicalType"
            self._wrong(at, message, f"write physicalType: decimal(12,2), of at most {_MOST_DIGITS} digits, or double")
        return replace(field, type="decimal", precision=precision, scale=scale)

    def _check_inner(self, trail: Trail, column: dict[str, Any]) -> None:
        """An object has properties, an array has items, and nothing else has either."""
        for kind, key in (("object", "properties"), ("array", "items")):
            if column["logicalType"] == kind and key not in column:
                self._wrong(trail, f"an {kind} without `{key}`", f"add `{key}`: the content of the {kind}")
            elif column["logicalType"] != kind and key in column:
                self._wrong((*trail, key), f"belongs to an {kind}, not to a {column['logicalType']}", "remove it")

    def _with_inner(self, trail: Trail, column: dict[str, Any], field: Field) -> Field:
        if field.type == "struct":
            inner = self._read_columns((*trail, "properties"))
            return replace(field, fields=tuple(child.field for child in inner))
        at = (*trail, "items")
        if field.type == "array" and "items" in column and at not in self._faulty:
            return replace(field, item=replace(self._field(at, column["items"]), name="item", required=True))
        return field

    def _check_no_key(self, trail: Trail, column: dict[str, Any]) -> None:
        for name in ("primaryKey", "primaryKeyPosition"):
            if name in column:
                self._wrong((*trail, name), "the key consists of columns, not of fields of an object", "remove it")

    # --- checks of the whole document

    def _check_file_name(self) -> None:
        trail = ("schema", 0, "name")
        dataset = self._document.at(trail)
        if isinstance(dataset, str) and dataset != self._path.stem:
            fix = f"rename the file to {dataset}.yaml, or the schema object to '{self._path.stem}'"
            self._wrong(trail, f"the file is named '{self._path.stem}', its schema object '{dataset}'", fix)

    def _check_flat(self) -> None:
        for column in self._columns:
            if column.field.type not in SCALARS:
                fix = "make it a scalar, or use another format"
                self._wrong((*column.trail, "logicalType"), "a CSV holds no objects and no arrays", fix)

    def _read_key(self) -> tuple[str, ...]:
        """The names of the key's columns by primaryKeyPosition; empty for a dataset without a key."""
        for column in self._columns:
            self._check_key_column(column)
        key = sorted((c for c in self._columns if c.in_key), key=lambda column: column.key_position)
        positions = [column.key_position for column in key]
        whole = not any(trail[: len(_COLUMNS)] == _COLUMNS for trail in self._faulty)
        if whole and positions != list(range(1, len(key) + 1)):
            fix = "give primaryKeyPosition: 1" + (f" to {len(key)}, each once" if len(key) > 1 else "")
            self._wrong((*key[-1].trail, "primaryKey"), f"the places in the key are {positions}", fix)
        return tuple(column.field.name for column in key)

    def _check_key_column(self, column: _Column) -> None:
        field, trail = column.field, (*column.trail, "primaryKey")
        if not column.in_key:
            if "primaryKeyPosition" in column.value:
                at = (*column.trail, "primaryKeyPosition")
                self._wrong(at, "has no effect without primaryKey", "add primaryKey: true")
        elif field.type not in SCALARS or field.type == "double":
            self._wrong(trail, f"a {field.type} cannot be part of the key", "use a scalar other than double")
        elif not field.required:
            self._wrong(trail, "a column of the key can be null", "add required: true")


def _holder(trail: Trail) -> Trail:
    """The trail of the column, or other item of a list, that holds the value at `trail`."""
    trail = trail[: trail.index("enum")] if "enum" in trail else trail
    while trail and not isinstance(trail[-1], int) and trail[-1] != "items":
        trail = trail[:-1]
    return trail


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
