"""`headgate new project`: copies a template into a new folder."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

import click

from headgate.cli.options import print_json
from headgate.errors import StorageError, UsageError

_TEMPLATES = Path(__file__).parents[2] / "templates"
_NAMES = {
    "gitignore": ".gitignore",
    "gitkeep": ".gitkeep",
}  # under their own names git would apply them to the templates
#: What may be in the folder already: a repository, and the environment that Headgate is installed in.
_BESIDE = (".git", ".venv", "venv")
#: Files of the sample project that a project without sample has too.
_SHARED = ("gitignore", "conf/environments/local.yaml", "conf/great_expectations.yml")


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--empty", is_flag=True, help="Leave out the sample dataset, tables and tests.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def project(folder: Path, empty: bool, as_json: bool) -> None:
    """Make a project in DIR, with a small working sample.

    The sample has sensor readings, from an upload to a gold table. DIR is created; if it exists, it has to be empty,
    but for .git and .venv.
    """
    _check_empty(folder)
    files = _copy(_template_files(empty), folder)
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
        if folder.is_dir() and not all(path.name in _BESIDE for path in folder.iterdir()):
            raise UsageError("the folder is not empty", where=str(folder), fix="name a new or an empty folder")
    except OSError as error:
        raise StorageError(f"cannot read: {error.strerror}", where=str(folder), fix="name another folder") from error


def _template_files(empty: bool) -> dict[str, Path]:
    """The files of a new project: path in the project -> file of the template."""
    sample = _files_of(_TEMPLATES / "project")
    if not empty:
        return sample
    shared = {name: source for name, source in sample.items() if _source_name(source) in _SHARED}
    return {**shared, **_files_of(_TEMPLATES / "empty")}


def _files_of(template: Path) -> dict[str, Path]:
    # An import of the sample's modules may have left a cache of compiled files.
    sources = [path for path in template.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    relative = {source: source.relative_to(template) for source in sources}
    return {str(path.with_name(_NAMES.get(path.name, path.name))): source for source, path in relative.items()}


def _source_name(source: Path) -> str:
    return str(source.relative_to(_TEMPLATES / "project"))


def _copy(files: dict[str, Path], folder: Path) -> list[str]:
    """Copies the files and returns their paths in the project, sorted. Raises StorageError."""
    try:
        for name, source in files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    except OSError as error:
        raise StorageError(f"cannot write: {error.strerror}", where=str(folder), fix="name another folder") from error
    return sorted(files)


def _commands(readme: Path) -> list[str]:
    """The commands at the start of the README, so that the two cannot differ."""
    blocks = re.findall(r"^```sh\n(.*?)^```", readme.read_text(), re.MULTILINE | re.DOTALL)
    return [re.sub(r"^headgate\b", own_name(), line) for line in blocks[0].splitlines()]


def own_name() -> str:
    """Returns how the command is called from another folder: by its name if PATH finds it, else by its path."""
    called = Path(sys.argv[0])
    on_path = shutil.which("headgate")
    if called.name != "headgate" or (on_path and Path(on_path).resolve() == called.resolve()):
        return "headgate"
    return shlex.quote(str(called.absolute()))
