"""The framework uses public APIs of Spark and Delta: EMR ships builds of its own, and private classes change."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "lib" / "headgate" / "engine"
ACCESS = ENGINE / "runtime" / "jvm_access.py"

_HANDLES = re.compile(r"\._(jdf|jvm|jsc|jsparkSession|jc|gateway)\b")
_PRIVATE_JAVA = re.compile(r"org\.apache\.spark\.sql\.(delta|catalyst|classic|execution)\b[\w.]*")


#: Modules that PySpark does not document: their functions change from version to version.
_PRIVATE_PYTHON = re.compile(r"^\s*(?:from|import) (pyspark\.sql\.(?:pandas|classic|connect)\b\S*)", re.MULTILINE)


def python_sources() -> list[Path]:
    return [path for path in sorted((ROOT / "lib").rglob("*.py")) if path != ACCESS]


@pytest.mark.parametrize("path", python_sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_but_one_uses_a_private_handle_of_the_jvm(path):
    lines = [line for line in path.read_text().splitlines() if _HANDLES.search(line)]
    assert not lines, f"use headgate.engine.runtime.jvm_access: {lines}"


@pytest.mark.parametrize("path", python_sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_imports_what_pyspark_does_not_document(path):
    assert _PRIVATE_PYTHON.findall(path.read_text()) == []


def test_each_use_of_the_jvm_is_listed_with_its_reason():
    text = ACCESS.read_text()
    listed = {
        name
        for line in text.splitlines()
        if line.startswith("- `")
        for name in re.findall(r"`(\w+)`", line.partition(": ")[0])
    }
    functions = re.findall(r"^def ([a-z]\w+)\(", text, re.MULTILINE)
    assert set(functions) == listed


@pytest.mark.parametrize("path", sorted((ENGINE / "jvm").glob("*.java")), ids=lambda path: path.name)
def test_java_sources_use_no_private_class(path):
    assert _PRIVATE_JAVA.findall(path.read_text()) == []
