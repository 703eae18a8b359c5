"""`headgate new`: makes what its user then edits."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

import click

from headgate.cli.options import print_json
from headgate.errors import StorageError, UsageError

_TEMPLATE = Path(__file__).parents[1] / "templates" / "project"
_NAMES = {"gitignore": ".gitignore"}  # under its own name it would hold for the templates themselves


@click.group()
def command() -> None:
    """Make a new project."""


@command.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def project(folder: Path, as_json: bool) -> None:
    """Make a small working project in DIR.

    Sensor readings, from an upload to a table in gold. DIR is made where it does not exist, and has to be empty
    where it does.
    """
    _check_empty(folder)
    files = _copy(folder)
    following = [f"cd {shlex.quote(str(folder))}", *_commands(folder / "README.md")]
    if as_json:
        print_json({"project": str(folder.resolve()), "files": files, "next": following})
        return
    for file in files:
        click.echo(f"created  {folder / file}")
    click.echo("\nnext:")
    for line in following:
        click.echo(f"  {line}")


def _check_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError("is a file", where=str(folder), fix="name a new or an empty folder")
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise UsageError("the folder is not empty", where=str(folder), fix="name a new or an empty folder")
    except OSError as error:
        raise StorageError(f"cannot read: {error.strerror}", where=str(folder), fix="name another folder") from error


def _copy(folder: Path) -> list[str]:
    """Copies the template's files; gives their paths from `folder`, in order. Raises StorageError."""
    files = {_name_of(source): source for source in _TEMPLATE.rglob("*") if _belongs(source)}
    try:
        for name, source in files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    except OSError as error:
        raise StorageError(f"cannot write: {error.strerror}", where=str(folder), fix="name another folder") from error
    return sorted(files)


def _belongs(source: Path) -> bool:
    """Whether a path of the template is a file of it: an import may have left others."""
    return source.is_file() and "__pycache__" not in source.parts


def _name_of(source: Path) -> str:
    relative = source.relative_to(_TEMPLATE)
    return str(relative.with_name(_NAMES.get(relative.name, relative.name)))


def _commands(readme: Path) -> list[str]:
    """The commands that the README begins with, so that the two cannot differ."""
    blocks = re.findall(r"^```sh\n(.*?)^```", readme.read_text(), re.MULTILINE | re.DOTALL)
    return [re.sub(r"^headgate\b", _own_name(), line) for line in blocks[0].splitlines()]


def _own_name() -> str:
    """How the command is called from another folder: by its name where PATH finds it, else by its path."""
    called = Path(sys.argv[0])
    found = shutil.which("headgate")
    if called.name != "headgate" or (found and Path(found).resolve() == called.resolve()):
        return "headgate"
    return shlex.quote(str(called.absolute()))
