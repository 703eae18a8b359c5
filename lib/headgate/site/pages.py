"""Writes the site: one page per table and an index, plain files that open from disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headgate.errors import SetupError
from headgate.site.content import SiteContent
from headgate.site.lineage_svg import lineage_svg
from headgate.views import unreadable

_TEMPLATES = Path(__file__).with_name("templates")


def write_site(content: SiteContent, folder: Path) -> list[Path]:
    """Writes index.html, tables/<table>.html and style.css below `folder`; returns the files.

    Pages link by relative paths and load nothing from elsewhere. Raises SetupError without jinja2.
    """
    templates = _environment()
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    files = {"style.css": (_TEMPLATES / "style.css").read_text("utf-8")}
    files["index.html"] = templates.get_template("index.html").render(site=content, root="")
    href = {table.name: f"{table.name}.html" for table in content.tables}
    page = templates.get_template("table.html")
    for table in content.tables:
        picture = lineage_svg(content.graph, table.name, href)
        files[f"tables/{table.name}.html"] = page.render(site=content, table=table, picture=picture, root="../")
    written = []
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
        written.append(folder / name)
    return written


def _environment() -> Any:
    try:
        import jinja2
    except ImportError as error:
        raise SetupError("jinja2 is not installed", fix="pip install 'headgate[docs]'") from error
    loader = jinja2.FileSystemLoader(_TEMPLATES)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = lambda value: "" if value is None else f"{value:,}"
    environment.filters["whole"] = unreadable.in_words
    return environment
