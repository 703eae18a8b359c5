"""A generator of a project, named by `generator` in its environment.

The module is imported with the project's folder on the path. It has:

- `DATASETS`: the names of the datasets that it makes; all others are made from their contracts.
- `OPTIONS`: a mapping from the name of each option of its own to a line of help; `headgate generate --set NAME=VALUE`.
- `uploads(request)`: yields a GeneratedUpload for each upload of a Request, in the order in which they are sent.
"""

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, cast

from headgate.errors import UsageError, suggestion
from headgate.generate.request import GeneratedUpload, Request
from headgate.project import Project

_NAMES = ("DATASETS", "OPTIONS", "uploads")


class ProjectGenerator(Protocol):
    """The names that the module defines."""

    DATASETS: Sequence[str]
    OPTIONS: Mapping[str, str]

    def uploads(self, request: Request) -> Iterator[GeneratedUpload]:
        """Yields the uploads of `request`, whose datasets are all in DATASETS."""


def load_generator(project: Project, name: str) -> ProjectGenerator:
    """Imports the module `name` of a project. Raises UsageError where it cannot be imported or lacks a name."""
    sys.path.insert(0, str(project.root))
    try:
        module = importlib.import_module(name)
    except Exception as error:
        raise UsageError(
            f"the generator cannot be imported: {type(error).__name__}: {error}",
            where=name,
            fix="correct the module, or remove `generator` from the environment",
        ) from error
    finally:
        sys.path.remove(str(project.root))
    missing = [expected for expected in _NAMES if not hasattr(module, expected)]
    if missing:
        raise UsageError(f"the generator does not define {', '.join(missing)}", where=name, fix="see docs/generate.md")
    return cast(ProjectGenerator, module)


def check_settings(settings: Mapping[str, str], options: Mapping[str, str]) -> None:
    """Raises UsageError for a setting that is not an option of the project's generator."""
    for name in settings:
        if name not in options:
            known = ", ".join(options) or "none: this project has no generator of its own"
            raise UsageError(
                f"unknown option '{name}'.{suggestion(name, options)}", where="generate: --set", fix=f"options: {known}"
            )
