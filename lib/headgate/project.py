"""A project: any folder with `conf/` and `jobs/`."""

from dataclasses import dataclass
from pathlib import Path

from headgate.errors import UsageError


@dataclass(frozen=True)
class Project:
    """The folders of a project, as absolute paths."""

    root: Path

    @property
    def datasets(self) -> Path:
        return self.root / "conf" / "datasets"

    @property
    def tables(self) -> Path:
        """The contracts of tables, a folder a layer."""
        return self.root / "conf" / "tables"

    @property
    def expectations(self) -> Path:
        """The suites, a folder a layer."""
        return self.root / "conf" / "expectations"

    @property
    def queries(self) -> Path:
        """Saved queries in Athena's SQL."""
        return self.root / "conf" / "queries"

    @property
    def environments(self) -> Path:
        return self.root / "conf" / "environments"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    @property
    def cache(self) -> Path:
        """What can be thrown away: the manifest. Never state."""
        return self.root / ".headgate"

    def relative(self, path: Path) -> str:
        """`path` as a message shows it: from the project's root where it is inside."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


def is_project(folder: Path) -> bool:
    return (folder / "conf").is_dir() and (folder / "jobs").is_dir()


def find_project(start: Path | None, here: Path | None = None) -> Project:
    """The project at `start`, or the nearest project at or above `here`, by default the current folder.

    Raises UsageError where there is none.
    """
    if start is not None:
        if not is_project(start):
            raise UsageError(
                "not a Headgate project: it needs the folders conf/ and jobs/",
                where=str(start),
                fix="use the folder of a project, or create a project: headgate new project DIR",
            )
        return Project(start.resolve())
    here = (here or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if is_project(folder):
            return Project(folder)
    raise UsageError(
        "no Headgate project here or above (a folder with conf/ and jobs/)",
        where=str(here),
        fix="cd into a project, pass --project DIR, or create a project: headgate new project DIR",
    )
