"""What setup.py declares."""

from __future__ import annotations

import runpy
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from tests.processes import ROOT


def setup_arguments() -> dict[str, Any]:
    """The arguments that setup.py gives to setuptools, which is not installed here."""

    def find_packages(folder: str) -> list[str]:
        root = ROOT / folder
        packages = (path.parent.relative_to(root) for path in root.rglob("*/__init__.py"))
        return [path.as_posix().replace("/", ".") for path in packages]

    result: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        setuptools = SimpleNamespace(setup=result.update, find_packages=find_packages)
        patch.setitem(sys.modules, "setuptools", setuptools)
        patch.chdir(ROOT)
        runpy.run_path(str(ROOT / "setup.py"))
    return result
