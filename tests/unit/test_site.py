"""`headgate docs`: pages that open from disk, checked as a browser without a network would need them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from headgate.cli.docs import command
from headgate.site.content import type_text
from headgate.site.lineage_svg import lineage_svg
from tests.unit.lake import Lake

_VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """The texts, links and ids of a page. Fails on a tag that is not closed, or closed in the wrong place."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.open = path, list[str]()
        self.links, self.ids, self.texts, self.names = list[str](), list[str](), list[str](), list[str]()
        self.feed(path.read_text("utf-8"))
        assert self.open == [], path

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.links += [values[name] or "" for name in ("href", "src") if name in values]
        self.names += [values["name"] or ""] if "name" in values else []
        self.ids += [values["id"] or ""] if "id" in values else []
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attributes if name in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, (self.path, tag)

    def handle_data(self, data: str) -> None:
        self.texts += [data.strip()] if data.strip() else []


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "project")


@pytest.fixture
def site(lake: Lake, tmp_path: Path) -> Path:
    """The site of a built project whose silver table has one rejected record."""
    lake.built()
    lake.sales([("s-2", "north", 1, "u2")], rejected=1)
    done = CliRunner().invoke(command, ["--project", str(lake.project.root), "--out", str(tmp_path / "site")])
    assert done.exit_code == 0, done.output
    assert done.output == f"6 files; open {tmp_path / 'site' / 'index.html'}\n"
    return tmp_path / "site"


def pages(site: Path) -> list[Page]:
    return [Page(path) for path in sorted(site.rglob("*.html"))]


def test_the_index_links_to_a_page_of_each_table(site: Path) -> None:
    tables = {"bronze.sales", "silver.sales", "silver.lines", "gold.daily"}
    assert {link for link in Page(site / "index.html").links if link.startswith("tables/")} == {
        f"tables/{name}.html" for name in tables
    }


def test_pages_open_from_disk_every_link_is_a_file_of_the_site(site: Path) -> None:
    for page in pages(site):
        for link in page.links:
            assert (page.path.parent / link).is_file(), (page.path, link)


def test_pages_are_made_for_a_phone(site: Path) -> None:
    assert all("viewport" in page.names for page in pages(site))
    assert "@media (max-width" in (site / "style.css").read_text()
    for path in site.rglob("*.html"):
        assert path.read_text().count("<table>") == path.read_text().count('<div class="wide"><table>')


def test_a_table_shows_grain_columns_write_runs_lineage_and_quarantine(site: Path) -> None:
    page = Page(site / "tables" / "silver.sales.html")
    assert {"lineage", "columns", "suite", "quarantine", "runs"} <= set(page.ids)
    texts = " ".join(page.texts)
    for text in ("One row per sale.", "amount", "Merge(keys: id", "bronze.sales", "gold.daily", "1 records open"):
        assert text in texts, text


def test_a_bronze_table_shows_the_columns_of_its_contract(site: Path) -> None:
    texts = Page(site / "tables" / "bronze.sales.html").texts
    assert "conf/datasets/sales.yaml, version 1.0.0" in texts
    assert "id" in texts and "_state" not in texts


def test_text_of_a_project_is_never_markup(lake: Lake, tmp_path: Path) -> None:
    module = lake.project.root / "jobs/silver/sales.py"
    module.write_text(module.read_text().replace("One row per sale.", "One row per <script>alert(1)</script> sale."))
    done = CliRunner().invoke(command, ["--project", str(lake.project.root), "--out", str(tmp_path / "site"), "--json"])
    assert len(json.loads(done.output)["files"]) == 6
    assert "<script" not in (tmp_path / "site/tables/silver.sales.html").read_text()


def test_the_picture_is_an_svg_whose_arrows_go_to_the_right(lake: Lake) -> None:
    text = lineage_svg(lake.graph, "silver.sales", {"gold.daily": "gold.daily.html"})
    picture = ET.fromstring(text)  # noqa: S314  # made by this test
    boxes = {text.text: int(text.get("x") or 0) for text in picture.iter("{http://www.w3.org/2000/svg}text")}
    assert boxes["bronze.sales"] < boxes["silver.sales"] < boxes["gold.daily"]
    assert [link.get("href") for link in picture.iter("{http://www.w3.org/2000/svg}a")] == ["gold.daily.html"]
    lines = [path.get("d") or "" for path in picture.iter("{http://www.w3.org/2000/svg}path")]
    assert len(lines) == 3


def test_a_nested_type_is_text() -> None:
    struct = {"type": "struct", "fields": [{"name": "line", "type": "integer"}]}
    assert type_text({"type": "array", "elementType": struct}) == "array<struct<line: integer>>"
