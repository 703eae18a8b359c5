"""Loads table modules, each with a single table. Errors of the author have file and line."""

import importlib.util
import re
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from headgate.errors import HeadgateError, TableDefinitionError, suggestion
from headgate.project import Project
from headgate.table import LAYERS, Table


def module_paths(project: Project) -> list[Path]:
    """The table modules of a project, in a stable order."""
    results = [p for layer in LAYERS for p in (project.jobs / layer).glob("*.py")]
    return sorted(p for p in results if not p.name.startswith("_"))


def table_names(project: Project) -> list[str]:
    """The tables that modules declare, by their files alone: no module is loaded."""
    return [f"{path.parent.name}.{path.stem}" for path in module_paths(project)]


# Imports change state that all threads share, and several tables are built at the same time.
_IMPORTING = threading.Lock()


def load_table(project: Project, path: Path) -> Table:
    """The one table that a module declares. Raises TableDefinitionError."""
    with _IMPORTING:
        module = _import(project, path)
    tables = [value for value in vars(module).values() if isinstance(value, Table)]
    where = project.relative(path)
    if len(tables) != 1:
        raise _not_single(tables, where)
    _require_own_name(project, path, tables[0].name)
    return tables[0]


def _not_single(tables: Sequence[Table], where: str) -> TableDefinitionError:
    if not tables:
        return TableDefinitionError(
            "declares no table", where=where, fix="put @table on its function, or move helpers to jobs/common"
        )
    names = ", ".join(f"{table.name} (line {table.code.co_firstlineno})" for table in tables)
    fix = "keep a single @table per module; share helpers in jobs/common"
    return TableDefinitionError(f"declares {len(tables)} tables: {names}", where=where, fix=fix)


def _require_own_name(project: Project, path: Path, name: str) -> None:
    """Raises TableDefinitionError where a module declares a table that its path does not name."""
    expected = f"{path.parent.name}.{path.stem}"
    if name == expected:
        return
    message, other = f"declares '{name}'", project.jobs / f"{name.replace('.', '/')}.py"
    if other.is_file():
        message += f", which is the table of {project.relative(other)}: two modules with one table name"
    fix = f"name the table '{expected}', or move the module"
    raise TableDefinitionError(message, where=project.relative(path), fix=fix)


def _import(project: Project, path: Path) -> ModuleType:
    name = ".".join(path.relative_to(project.root).with_suffix("").parts)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TableDefinitionError("cannot be imported", where=project.relative(path))
    module = importlib.util.module_from_spec(spec)
    _forget_other_projects(project)
    sys.path.insert(0, str(project.root))
    try:
        spec.loader.exec_module(module)
    except HeadgateError as error:
        raise TableDefinitionError(
            error.message, where=_inside(error.where, project) or author_line(error, project, path), fix=error.fix
        ) from error
    except Exception as error:
        raise TableDefinitionError(
            _message(error),
            where=author_line(error, project, path),
            fix=_advice(error),
        ) from error
    finally:
        sys.path.remove(str(project.root))
    return module


def _inside(where: str, project: Project) -> str:
    return where.removeprefix(f"{project.root}/")


def _forget_other_projects(project: Project) -> None:
    """Drops `jobs` as another project's import left it, so that `jobs.common` is this project's."""
    own = [name for name in sys.modules if name == "jobs" or name.startswith("jobs.")]
    # All or none: a namespace package finds its path through its parent, so a child without it is of no use.
    if any(not _origin(sys.modules[name]).is_relative_to(project.root) for name in own):
        for name in own:
            del sys.modules[name]


def _origin(module: ModuleType) -> Path:
    """The file of a module, or the folder of a package without a file."""
    return Path(getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", [])), ""))


def author_line(error: BaseException, project: Project, path: Path | None = None) -> str:
    """`file:line` of the deepest frame in the project's jobs; `path` where there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{project.relative(Path(error.filename))}:{error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(project.jobs)]
    if frames:
        return f"{project.relative(Path(frames[-1].filename))}:{frames[-1].lineno}"
    return project.relative(path) if path else ""


#: The calls of a declaration, as the advice shows them.
_CALLS = {
    "table": '@table("gold.daily_sales", reads={"sales": Affected(...)}, writes=Replace(...))',
    "Changes": 'Changes("bronze.sales")',
    "Affected": 'Affected("silver.sales", by=["sale_date"])',
    "Snapshot": 'Snapshot("silver.stores")',
    "Append": "Append()",
    "Merge": 'Merge(keys=["sale_id"], sequence_by="revision")',
    "Replace": 'Replace(by=["sale_date"], partition_by=["sale_date"])',
    "History": 'History(keys=["store_id"], sequence_by="changed_at")',
}


def _message(error: BaseException) -> str:
    """An exception in one line, without the paths and the file names that `where` has."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}{f': {error.text.strip()}' if error.text else ''}"
    text = _first_line(error)
    if isinstance(error, ImportError) and error.path:
        text = text.replace(f" ({error.path})", "")
    return f"{type(error).__name__}: {text.replace('.__init__()', '()')}"


def _advice(error: BaseException) -> str:
    """What an author can do about an exception that the import of a module raised."""
    if isinstance(error, SyntaxError):
        return "correct the syntax of this line, or of the line before it"
    if isinstance(error, ImportError):
        return _advice_on_import(error)
    if any("/pyspark/" in Path(frame.filename).as_posix() for frame in traceback.extract_tb(error.__traceback__)):
        return "a module is imported without Spark: keep columns and reads inside the function"
    if isinstance(error, TypeError) and "argument" in str(error):
        call = _CALLS.get(re.split(r"[.(]", str(error))[0])
        example = f", such as {call}" if call else ""
        return f"correct the arguments of the call{example}; docs/tables.md lists those of reads and writes"
    return "correct the module; an import may not fail, and may not depend on Spark or on data"


def _advice_on_import(error: ImportError) -> str:
    """What to do about a module that is missing, or a name that a module lacks."""
    missing = re.match(r"cannot import name '(\w+)' from '([\w.]+)'", str(error))
    if missing and missing[2] in sys.modules:
        near = suggestion(missing[1], vars(sys.modules[missing[2]]))
        return f"correct the name.{near}" if near else f"correct the name; {missing[2]} has no {missing[1]}"
    if (error.name or "").partition(".")[0] == "jobs":
        return "correct the name; code that tables share is in jobs/common, as in: from jobs.common.money import cents"
    return f"correct the name, or install the package '{error.name}' where jobs run"


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "") or repr(error)
