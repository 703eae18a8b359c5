"""What `RecordReader` has to say of a record, once more: by Spark's variants and casts, one field at a time.

Each scalar is cast from its text, so that each can be told what is wrong with it. It is exact, but for numbers of more
than 38 digits, and too slow for more than a test.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from headgate.contracts.contract import Contract, Field
from headgate.engine.read.typed_records import SHOWN, SOURCE_FIELDS, type_of
from headgate.ledger.record_table import REASON_TYPE, REJECTED_RECORD_TYPE, UNPARSABLE

_CONTAINERS = ("struct", "array")
_MOST_DIGITS = 38  # of a Spark decimal
_DAYS = "0001-01-01", "9999-12-31"
# What a number of more than 38 digits looks like as text: it went through a double, which lost digits.
_LOST_DIGITS = r"\.\d{15,}E\d\d"


def typed(bronze: DataFrame, contract: Contract) -> DataFrame:
    """As `headgate.engine.read.typed_records.typed`."""
    source = F.struct(*SOURCE_FIELDS).alias("_source")
    read = bronze.select(source, "raw", "raw_encoding", "problem", _text(contract).alias("text"))
    judged = read.withColumn("reasons", _record_reasons(contract))
    return judged.select(
        *(_reference(F.col("text")[field.name], field).alias(field.name) for field in contract.fields),
        "_source",
        F.when(F.size("reasons") > 0, F.struct("raw", "raw_encoding", "reasons"))
        .cast(REJECTED_RECORD_TYPE)
        .alias("_rejected"),
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
        opened = _opened(text, field)
        children = [_reference(opened[c.name], c).alias(c.name) for c in field.fields]
        return F.when(opened.isNotNull(), F.struct(*children))
    if field.type == "array":
        item = _item(field)
        return F.transform(_opened(text, field), lambda element: _reference(element, item))
    return text.try_cast(type_of(field))


def _record_reasons(contract: Contract) -> Column:
    """Every reason why a record is rejected; empty where there is none."""
    unparsable = F.array(_reason(F.lit(""), UNPARSABLE, F.col("problem")))
    not_read = F.array(_reason(F.lit(""), UNPARSABLE, F.lit("not a JSON object")))
    found = [_reasons(F.col("text")[field.name], field, F.lit(field.name)) for field in contract.fields]
    if contract.evolution == "strict" and contract.format != "csv":
        found.append(F.transform(_unknown_names(contract), lambda n: _reason(n, "unknown field", F.lit(None))))
    return (
        F.when(F.col("problem").isNotNull(), unparsable)
        .when(F.col("text").isNull(), not_read)
        .otherwise(F.concat(*found))
    )


def _reasons(text: Column, field: Field, path: Column) -> Column:
    """The reasons that one field gives, as an array. `path` is what a reason names, such as items[3].quantity."""
    missing = _reason(path, "required", F.lit(None)) if field.required else F.lit(None).cast(REASON_TYPE)
    here = F.when(_is_null(text, field), missing).when(_is_wrong(text, field), _wrong(text, field, path))
    own = F.filter(F.array(here), lambda reason: reason.isNotNull())
    return F.concat(own, *_inner_reasons(text, field, path))


def _inner_reasons(text: Column, field: Field, path: Column) -> list[Column]:
    none = F.array().cast(f"array<{REASON_TYPE}>")
    if field.type == "struct":
        opened = _opened(text, field)
        inner = [_reasons(opened[c.name], c, F.concat(path, F.lit(f".{c.name}"))) for c in field.fields]
        return [F.when(opened.isNotNull(), F.concat(*inner)).otherwise(none)]
    if field.type == "array":
        item = _item(field)
        element = Field(**{**vars(item), "required": True})

        def of_element(value: Column, index: Column) -> Column:
            return _reasons(value, element, F.concat(path, F.lit("["), index.cast("string"), F.lit("]")))

        return [F.coalesce(F.flatten(F.transform(_opened(text, field), of_element)), none)]
    return []


def _is_null(text: Column, field: Field) -> Column:
    if field.type in _CONTAINERS:
        return text.isNull() | F.coalesce(F.is_variant_null(text), F.lit(False))
    return text.isNull()


def _is_wrong(text: Column, field: Field) -> Column:
    if field.type in _CONTAINERS:
        return _opened(text, field).isNull()
    if field.type == "string":
        return F.lit(False)
    lost = text.rlike(_LOST_DIGITS) if field.type == "decimal" else F.lit(False)
    return _does_not_fit(text, field) | lost


def _wrong(text: Column, field: Field, path: Column) -> Column:
    shown = F.to_json(text) if field.type in _CONTAINERS else text
    kind = {"struct": "object"}.get(field.type, "array" if field.type == "array" else type_of(field))
    return _reason(path, f"type: {kind}", shown)


def _reason(path: Column, rule: str, value: Column) -> Column:
    shown = F.substring(value.cast("string"), 1, SHOWN)
    return F.struct(path.alias("column"), F.lit(rule).alias("rule"), shown.alias("value")).cast(REASON_TYPE)


def _unknown_names(contract: Contract) -> Column:
    known = F.array(*(F.lit(field.name) for field in contract.fields))
    return F.array_except(F.coalesce(F.json_object_keys("raw"), F.array().cast("array<string>")), known)


def _wide(field: Field) -> str:
    """A decimal with room for at least nine decimals that the contract does not allow, so that they are seen."""
    whole_digits = field.precision - field.scale
    return f"decimal({_MOST_DIGITS},{min(_MOST_DIGITS, max(_MOST_DIGITS - whole_digits, field.scale + 9))})"


def _does_not_fit(value: Column, field: Field) -> Column:
    """Whether a value is there that the field's type cannot hold as it is: never null."""
    cast = value.try_cast(type_of(field))
    if field.type in ("date", "timestamp"):
        # A time without a date would be one of today, and a spreadsheet's 46082 a year.
        dated = value.try_cast("date").between(*(F.lit(day).cast("date") for day in _DAYS))
        return value.isNotNull() & (cast.isNull() | ~F.coalesce(dated, F.lit(False)))
    if field.type != "decimal":
        return value.isNotNull() & cast.isNull()
    same = cast.try_cast(_wide(field)) == value.try_cast(_wide(field))
    plain = value.cast("string").rlike(rf"^\s*[+-]?\d+(\.\d{{0,{field.scale}}}0*)?\s*$")  # too long for the wide type
    return value.isNotNull() & (cast.isNull() | ~F.coalesce(same, plain))


def _item(field: Field) -> Field:
    if field.item is None:
        raise ValueError(f"the array '{field.name}' has no items")
    return field.item
