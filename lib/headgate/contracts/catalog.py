"""Where gold is registered for analysts: the environment's key `catalog`.

Terraform makes the Glue database and the Athena workgroup; Headgate registers the tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Catalog:
    """The Glue database of gold and the Athena workgroup of queries. Empty: no catalog, no queries on Athena.

    `region` is empty where it is the region of `emr`, or the one of AWS's variables.
    """

    database: str = ""
    workgroup: str = ""
    region: str = ""


SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "database": {
            "type": "string",
            "pattern": "^[a-z0-9_]{1,255}$",
            "x-wanted": "a Glue database: lower-case letters, digits and underscores",
        },
        "workgroup": {
            "type": "string",
            "pattern": "^[A-Za-z0-9._-]{1,128}$",
            "x-wanted": "the name of an Athena workgroup",
        },
        "region": {"type": "string", "minLength": 1},
    },
}


def catalog_from(value: Mapping[str, Any], emr_region: str) -> Catalog:
    """The settings of a value that fits SCHEMA. The default region is that of EMR."""
    return Catalog(**{"region": emr_region, **value})
