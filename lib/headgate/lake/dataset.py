"""A Delta table as a dataset of Arrow, which knows the partition of each file and reads only what it needs."""

from __future__ import annotations

from functools import reduce
from operator import and_
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset as ds


def dataset_of(delta: Any) -> ds.FileSystemDataset:
    """Returns the rows of a `deltalake` table.

    deltalake (1.6) writes a negative decimal as the value of a partition as `-1.-5000`, which Arrow refuses. So for a
    table that is partitioned by a decimal, the partitions come from the list of its files, which has them right.
    """
    schema = pa.schema(delta.schema().to_arrow())
    partitions = delta.metadata().partition_columns
    decimals = [name for name in partitions if pa.types.is_decimal(schema.field(name).type)]
    if not decimals:
        return delta.to_pyarrow_dataset()
    as_text = [field.with_type(pa.string()) if field.name in decimals else field for field in schema]
    shape = delta.to_pyarrow_dataset(schema=pa.schema(as_text))  # for its format and file system only
    fragments = [
        shape.format.make_fragment(
            unquote(file["path"]),
            filesystem=shape.filesystem,
            partition_expression=_partition({name: file[f"partition.{name}"] for name in partitions}, schema),
        )
        for file in pa.table(delta.get_add_actions(flatten=True)).to_pylist()
    ]
    return ds.FileSystemDataset(fragments, schema, shape.format, shape.filesystem)


def _partition(values: dict[str, Any], schema: pa.Schema) -> ds.Expression:
    conditions = [
        ds.field(name).is_null() if value is None else ds.field(name) == pa.scalar(value, schema.field(name).type)
        for name, value in values.items()
    ]
    return reduce(and_, conditions)
