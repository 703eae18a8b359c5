"""Bronze records as typed rows by their contract, each whole record accepted, or rejected with every reason.

Two ways lead to one meaning. The *reference* reads a record as a variant and casts each scalar from its
text, so that it can say of each field what is wrong; it is exact, and slow. The *fast* way lets
`from_json` read numbers at a width that loses nothing. Whatever it is not sure of is a suspect, and
only suspects take the reference, in a pass of their own. (`from_json` alone rounds 12.345 to
decimal(12,2) in silence, and reads long decimals through a double.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from headgate.contract import Contract, Field

REASON = "struct<column: string, rule: string, value: string>"
REJECTED = f"struct<raw: string, raw_encoding: string, reasons: array<{REASON}>>"
SOURCE_FIELDS = ("upload", "received", "record")
UNPARSABLE = "unparsable"

_CORRUPT = "_corrupt_record"
_SHOWN = 200  # characters of a value that a reason repeats
_CONTAINERS = ("struct", "array")
_TIMES = ("date", "timestamp")
_MOST_DIGITS = 38  # of a Spark decimal
# `from_json` drops the thousands separators of a decimal in a string: with English ones "1,50" would be 150.
_PARSING = {"columnNameOfCorruptRecord": _CORRUPT, "locale": "de-CH"}
_PROBES = {
    "string": "\0",
    "int": "-987654321987",
    "bigint": "-987654321987",
    "double": "-9.87e300",
    "decimal": "-0.0123456",
}
_DAYS = "0001-01-01", "9999-12-31"
# What a number of more than 38 digits looks like as text: it went through a double, which lost digits.
_LOST_DIGITS = r"\.\d{15,}E\d\d"


def typed(bronze: DataFrame, contract: Contract, stage: Callable[[DataFrame], DataFrame]) -> DataFrame:
    """One row per bronze record: the contract's columns, `_source`, and `_rejected` (null where accepted).

    `stage` computes a frame once: all records are read in one pass, and the suspects alone in a second.
    """
    read = stage(_read_fast(bronze, contract))
    none = F.lit(None).cast(REJECTED).alias("_rejected")
    sure = read.filter("_suspect IS NULL").select(*_names(contract), "_source", none)
    suspects = read.filter("_suspect IS NOT NULL").select("_source", "_suspect.*")
    return sure.unionByName(stage(_read_by_reference(suspects, contract)))


def typed_schema(contract: Contract) -> str:
    """The schema of accepted records, in Spark's DDL."""
    columns = [f"`{field.name}` {type_of(field)}" for field in contract.fields]
    return ", ".join([*columns, "_source struct<upload: string, received: timestamp, record: bigint>"])


def type_of(field: Field) -> str:
    """The field's type in Spark's DDL."""
    if field.type == "struct":
        return f"struct<{', '.join(f'`{child.name}`: {type_of(child)}' for child in field.fields)}>"
    if field.type == "array":
        return f"array<{type_of(_item(field))}>"
    return f"decimal({field.precision},{field.scale})" if field.type == "decimal" else field.type


# --- the fast way


def _read_fast(bronze: DataFrame, contract: Contract) -> DataFrame:
    """Typed columns, `_source`, and `_suspect`: the record as bronze has it, where its columns are not sure."""
    source = F.struct(*SOURCE_FIELDS).alias("_source")
    read = bronze.select(source, "raw", "raw_encoding", "problem", _parsed(contract).alias("_fast"))
    values = (F.col("_fast")[field.name].try_cast(type_of(field)).alias(field.name) for field in contract.fields)
    as_sent = F.struct("raw", "raw_encoding", "problem").alias("_as_sent")
    suspect = F.when(_suspect_record(contract), F.col("_as_sent")).alias("_suspect")
    return read.select(*values, "_source", as_sent, "_fast").select(*_names(contract), "_source", suspect)


def _names(contract: Contract) -> list[str]:
    return [f"`{field.name}`" for field in contract.fields]


def _parsed(contract: Contract) -> Column:
    """The record read by `from_json`; null where bronze found that it is none."""
    columns = ", ".join(f"`{field.name}` {_fast_type(field, contract)}" for field in contract.fields)
    read = F.from_json("raw", f"{columns}, {_CORRUPT} string", _PARSING)
    return F.when(F.col("problem").isNull(), read)


def _fast_type(field: Field, contract: Contract) -> str:
    if contract.format == "csv":
        return "string"
    if field.type == "struct":
        return f"struct<{', '.join(f'`{child.name}`: {_fast_type(child, contract)}' for child in field.fields)}>"
    if field.type == "array":
        return f"array<{_fast_type(_item(field), contract)}>"
    wider = {"date": "string", "timestamp": "string", "int": "bigint", "decimal": _wide(field)}
    return wider.get(field.type, field.type)


def _wide(field: Field) -> str:
    """A decimal with room for at least nine decimals that the contract does not allow, so that they are seen."""
    whole_digits = field.precision - field.scale
    return f"decimal({_MOST_DIGITS},{min(_MOST_DIGITS, max(_MOST_DIGITS - whole_digits, field.scale + 9))})"


def _suspect_record(contract: Contract) -> Column:
    """Whether the fast way is not sure of the record: never null."""
    record = F.col("_fast")
    doubts = [F.col("_as_sent.problem").isNotNull(), record[_CORRUPT].isNotNull()]
    doubts += [_suspect(record[f.name], F.col(f"`{f.name}`"), f, contract) for f in contract.fields]
    if contract.evolution == "strict" and contract.format != "csv":
        doubts.append(F.size(_unknown_names(contract, "_as_sent.raw")) > 0)
    return _any(doubts)


def _suspect(value: Column, cast: Column, field: Field, contract: Contract) -> Column:
    """Whether a value, read at its fast type, is not sure to be `cast`, the same as the field's type: never null."""
    doubts = [value.isNull()] if field.required else []
    if field.type == "struct":
        children = _any(_suspect(value[c.name], cast[c.name], c, contract) for c in field.fields)
        doubts.append(value.isNotNull() & children)
    elif field.type == "array":
        doubts.append(value.isNotNull() & _suspect_items(value, cast, _item(field), contract))
    elif type_of(field) != _fast_type(field, contract):
        doubts.append(value.isNotNull() & ~_is_sure(value, cast, field, contract))
    return _any(doubts)


def _suspect_items(value: Column, cast: Column, item: Field, contract: Contract) -> Column:
    """Whether an array's items are not sure: told of the array as a whole, because a lambda is slow."""
    parts = item.fields if item.type == "struct" else (item,)
    if any(part.type not in _PROBES for part in parts):

        def odd(element: Column) -> Column:
            return element.isNull() | _suspect(element, element.try_cast(type_of(item)), item, contract)

        return F.coalesce(F.exists(value, odd), F.lit(False))
    there_and_back = cast.try_cast(f"array<{_fast_type(item, contract)}>").eqNullSafe(value)
    needed = [(value[part.name], _probe(part, contract)) for part in item.fields if part.required]
    return _any([~there_and_back, *(_has_null(*one) for one in needed or [(value, _probe(item, contract))])])


def _has_null(items: Column, probe: Column) -> Column:
    """Whether an array has a null item: then, looking for a value that is not there gives null, not false."""
    return ~F.array_contains(items, probe).eqNullSafe(F.lit(False))


def _probe(field: Field, contract: Contract) -> Column:
    """A value that hardly any record has. One that has it is only taken for a suspect."""
    if field.type == "struct":
        return F.struct(*(_probe(child, contract).alias(child.name) for child in field.fields))
    return F.lit(_PROBES[field.type]).cast(_fast_type(field, contract))


def _is_sure(value: Column, cast: Column, field: Field, contract: Contract) -> Column:
    """Whether a value that is there is `cast` for sure: never null."""
    if field.type in _TIMES:
        # Whatever is written in another way, such as a time of no day, is left to the reference.
        return cast.isNotNull() & value.rlike(r"^[1-9]\d{3}-\d\d-\d\d([T ]|$)")
    if contract.format == "csv":
        return ~_does_not_fit(value, field)
    return cast.try_cast(_fast_type(field, contract)).eqNullSafe(value)


def _does_not_fit(value: Column, field: Field) -> Column:
    """Whether a value is there that the field's type cannot hold as it is: never null."""
    cast = value.try_cast(type_of(field))
    if field.type in _TIMES:
        # A time without a date would be one of today, and a spreadsheet's 46082 a year.
        dated = value.try_cast("date").between(*(F.lit(day).cast("date") for day in _DAYS))
        return value.isNotNull() & (cast.isNull() | ~F.coalesce(dated, F.lit(False)))
    if field.type != "decimal":
        return value.isNotNull() & cast.isNull()
    same = cast.try_cast(_wide(field)) == value.try_cast(_wide(field))
    plain = value.cast("string").rlike(rf"^\s*[+-]?\d+(\.\d{{0,{field.scale}}}0*)?\s*$")  # too long for the wide type
    return value.isNotNull() & (cast.isNull() | ~F.coalesce(same, plain))


# --- the reference


def _read_by_reference(suspects: DataFrame, contract: Contract) -> DataFrame:
    """The suspects' typed columns, `_source` and `_rejected`."""
    text = suspects.withColumn("_text", _text(contract)).withColumn("_reasons", _record_reasons(contract))
    rejected = F.struct("raw", "raw_encoding", F.col("_reasons").alias("reasons")).cast(REJECTED)
    return text.select(
        *(_reference(F.col("_text")[field.name], field).alias(field.name) for field in contract.fields),
        "_source",
        F.when(F.size("_reasons") > 0, rejected).alias("_rejected"),
    )


def _text(contract: Contract) -> Column:
    """The record with each scalar as text and each container as a variant; null where it is no record."""
    record = Field(name="", type="struct", required=True, fields=contract.fields)
    return F.when(F.col("problem").isNull(), F.try_variant_get(F.try_parse_json("raw"), "$", _text_type(record)))


def _text_type(field: Field) -> str:
    if field.type == "struct":
        return f"struct<{', '.join(f'`{c.name}`: {_inner_text_type(c)}' for c in field.fields)}>"
    if field.type == "array":
        return f"array<{_inner_text_type(_item(field))}>"
    return "string"


def _inner_text_type(field: Field) -> str:
    return "variant" if field.type in _CONTAINERS else "string"


def _opened(value: Column, field: Field) -> Column:
    """A container's variant one level further: null where it is another kind of thing."""
    return F.try_variant_get(value, "$", _text_type(field))


def _reference(text: Column, field: Field) -> Column:
    """The typed value from text; null where it does not fit (the reasons say so)."""
    if field.type == "struct":
        return _struct_reference(_opened(text, field), field)
    if field.type == "array":
        item = _item(field)
        if item.type == "struct":  # opened in a step of its own: once for an item, not once for each of its fields
            opened = F.transform(_opened(text, field), lambda element: _opened(element, item))
            return F.transform(opened, lambda element: _struct_reference(element, item))
        return F.transform(_opened(text, field), lambda element: _reference(element, item))
    return text.try_cast(type_of(field))


def _struct_reference(opened: Column, field: Field) -> Column:
    children = [_reference(opened[child.name], child).alias(child.name) for child in field.fields]
    return F.when(opened.isNotNull(), F.struct(*children))


def _record_reasons(contract: Contract) -> Column:
    """Every reason why a record is rejected; empty where there is none."""
    unparsable = F.array(_reason(F.lit(""), UNPARSABLE, F.col("problem")))
    not_read = F.array(_reason(F.lit(""), UNPARSABLE, F.lit("not a JSON object")))
    found = [_reasons(F.col("_text")[field.name], field, F.lit(field.name)) for field in contract.fields]
    if contract.evolution == "strict" and contract.format != "csv":
        found.append(F.transform(_unknown_names(contract, "raw"), lambda n: _reason(n, "unknown field", F.lit(None))))
    return (
        F.when(F.col("problem").isNotNull(), unparsable)
        .when(F.col("_text").isNull(), not_read)
        .otherwise(F.concat(*found))
    )


def _reasons(text: Column, field: Field, path: Column, opened: Column | None = None) -> Column:
    """The reasons that one field gives, as an array. `path` is what a reason names, such as items[3].quantity.

    `opened` is a container one level further, where it has been opened already.
    """
    if opened is None:
        opened = _opened(text, field) if field.type in _CONTAINERS else text
    missing = _reason(path, "required", F.lit(None)) if field.required else F.lit(None).cast(REASON)
    here = F.when(_is_null(text, field), missing).when(_is_wrong(opened, field), _wrong(text, field, path))
    own = F.filter(F.array(here), lambda reason: reason.isNotNull())
    return F.concat(own, *_inner_reasons(opened, field, path))


def _inner_reasons(opened: Column, field: Field, path: Column) -> list[Column]:
    none = F.array().cast(f"array<{REASON}>")
    if field.type == "struct":
        inner = [_reasons(opened[c.name], c, F.concat(path, F.lit(f".{c.name}"))) for c in field.fields]
        return [F.when(opened.isNotNull(), F.concat(*inner)).otherwise(none)]
    if field.type == "array":
        item = _item(field)
        element = Field(**{**vars(item), "required": True})

        def both(value: Column) -> Column:
            opened_value = _opened(value, item) if item.type in _CONTAINERS else value
            return F.struct(value.alias("text"), opened_value.alias("opened"))

        def of_element(value: Column, index: Column) -> Column:
            place = F.concat(path, F.lit("["), index.cast("string"), F.lit("]"))
            return _reasons(value["text"], element, place, value["opened"])

        return [F.coalesce(F.flatten(F.transform(F.transform(opened, both), of_element)), none)]
    return []


def _is_null(text: Column, field: Field) -> Column:
    if field.type in _CONTAINERS:
        return text.isNull() | F.coalesce(F.is_variant_null(text), F.lit(False))
    return text.isNull()


def _is_wrong(opened: Column, field: Field) -> Column:
    if field.type in _CONTAINERS:
        return opened.isNull()
    if field.type == "string":
        return F.lit(False)
    lost = opened.rlike(_LOST_DIGITS) if field.type == "decimal" else F.lit(False)
    return _does_not_fit(opened, field) | lost


def _wrong(text: Column, field: Field, path: Column) -> Column:
    shown = F.to_json(text) if field.type in _CONTAINERS else text
    kind = {"struct": "object"}.get(field.type, "array" if field.type == "array" else type_of(field))
    return _reason(path, f"type: {kind}", shown)


def _reason(path: Column, rule: str, value: Column) -> Column:
    shown = F.substring(value.cast("string"), 1, _SHOWN)
    return F.struct(path.alias("column"), F.lit(rule).alias("rule"), shown.alias("value")).cast(REASON)


def _unknown_names(contract: Contract, raw: str) -> Column:
    known = F.array(*(F.lit(field.name) for field in contract.fields))
    return F.array_except(F.coalesce(F.json_object_keys(raw), F.array().cast("array<string>")), known)


def _item(field: Field) -> Field:
    if field.item is None:
        raise ValueError(f"the array '{field.name}' has no items")
    return field.item


def _any(conditions: Iterable[Column]) -> Column:
    return reduce(lambda left, right: left | right, conditions, F.lit(False))
