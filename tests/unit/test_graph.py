"""The graph: order, selection, refusals, and the manifest that avoids imports."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from headgate.errors import TableDefinitionError, UsageError
from headgate.planning.graph import Graph, load_graph
from headgate.project import Project
from tests.contracts import json_lines

ID = "name: id, logicalType: string, required: true, primaryKey: true"
MODULE = '''\
from headgate import Affected, Append, Changes, History, Merge, Replace, Snapshot, table


@table("{name}", reads={{"rows": {read}}}, writes={write}, tags={tags})
def declared(rows):
    """One row per {name}.

    More of it.
    """
    return rows
'''


class Made:
    """A project that a test writes file by file."""

    def __init__(self, project: Project) -> None:
        self.project = project
        for folder in (project.datasets, project.jobs / "silver", project.jobs / "gold"):
            folder.mkdir(parents=True)

    def dataset(self, name: str) -> None:
        (self.project.datasets / f"{name}.yaml").write_text(json_lines(name, ID))

    def merged(self, name: str, source: str, tags: tuple[str, ...] = ()) -> None:
        self.module(name, f'Changes("{source}")', 'Merge(keys=["id"])', tags)

    def replaced(self, name: str, source: str, tags: tuple[str, ...] = ()) -> None:
        self.module(name, f'Affected("{source}", by=["id"])', 'Replace(by=["id"])', tags)

    def module(self, name: str, read: str, write: str, tags: tuple[str, ...]) -> None:
        path = self.project.jobs / (name.replace(".", "/") + ".py")
        path.write_text(MODULE.format(name=name, read=read, write=write, tags=list(tags)))

    def load(self) -> Graph:
        return load_graph(self.project)


@pytest.fixture
def made(tmp_path) -> Made:
    return Made(Project(tmp_path))


@pytest.fixture
def shop(made) -> Made:
    """sales -> silver.sales -> silver.items, gold.daily -> gold.weekly; and stock -> silver.stock."""
    made.dataset("sales")
    made.dataset("stock")
    made.merged("silver.sales", "bronze.sales", ("nightly",))
    made.merged("silver.stock", "bronze.stock")
    made.replaced("silver.items", "silver.sales")
    made.replaced("gold.daily", "silver.sales", ("nightly", "intraday"))
    made.replaced("gold.weekly", "gold.daily", ("weekly",))
    return made


def test_each_table_comes_after_its_sources(shop):
    graph = shop.load()
    order = list(graph.nodes)
    assert len(order) == 7
    assert all(order.index(source) < order.index(name) for name in order for source in graph.node(name).sources)


def test_a_node_has_the_place_of_its_declaration_and_its_grain(shop):
    node = shop.load().node("gold.daily")
    assert (node.module, node.line, node.grain) == ("jobs/gold/daily.py", 4, "One row per gold.daily.")


@pytest.mark.parametrize(
    ("selectors", "exclude", "chosen"),
    [
        (["silver.sales"], [], {"silver.sales"}),
        (["gold.*"], [], {"gold.daily", "gold.weekly"}),
        (["*.s*"], [], {"bronze.sales", "bronze.stock", "silver.sales", "silver.stock"}),
        (["tag:nightly"], [], {"silver.sales", "gold.daily"}),
        (["+gold.daily"], [], {"bronze.sales", "silver.sales", "gold.daily"}),
        (["silver.sales+"], [], {"silver.sales", "silver.items", "gold.daily", "gold.weekly"}),
        (["+gold.daily+"], [], {"bronze.sales", "silver.sales", "gold.daily", "gold.weekly"}),
        (["tag:nightly+"], [], {"silver.sales", "silver.items", "gold.daily", "gold.weekly"}),
        (["gold.daily,silver.stock"], [], {"gold.daily", "silver.stock"}),
        (["gold.daily", "silver.stock"], [], {"gold.daily", "silver.stock"}),
        (["silver.sales+"], ["gold.*"], {"silver.sales", "silver.items"}),
        ([], ["bronze.sales+", "silver.stock"], {"bronze.stock"}),
        (["gold.daily"], ["tag:intraday"], set()),
    ],
)
def test_a_selection_is_the_named_tables_without_the_excluded_in_order(shop, selectors, exclude, chosen):
    graph = shop.load()
    assert graph.select(selectors, exclude) == [name for name in graph.nodes if name in chosen]


def test_without_a_selector_every_table_is_selected(shop):
    assert len(shop.load().select()) == 7


@pytest.mark.parametrize("selectors", [{"selectors": ["silver.sale"]}, {"exclude": ["silver.sale+"]}])
def test_a_selector_that_names_nothing_is_refused_with_a_suggestion(shop, selectors):
    with pytest.raises(UsageError) as caught:
        shop.load().select(**selectors)
    assert caught.value.message.endswith("Did you mean 'silver.sales'?")


@pytest.mark.parametrize("selector", ["tag:hourly", "plantinum.*"])
def test_a_tag_or_a_pattern_that_names_nothing_is_refused(shop, selector):
    with pytest.raises(UsageError, match="no table is selected by"):
        shop.load().select([selector])


def test_an_unknown_table_is_refused_with_a_suggestion(shop):
    with pytest.raises(UsageError) as caught:
        shop.load().node("gold.dialy")
    assert "Did you mean 'gold.daily'?" in caught.value.message


# --- refusals


def refused(made: Made) -> TableDefinitionError:
    with pytest.raises(TableDefinitionError) as caught:
        made.load()
    return caught.value


def test_a_circle_is_refused_and_shown(made):
    made.replaced("silver.a", "silver.b")
    made.replaced("silver.b", "silver.c")
    made.replaced("silver.c", "silver.a")
    error = refused(made)
    assert error.message.startswith("tables read each other in a circle: ")
    assert {"silver.a", "silver.b", "silver.c"} == set(error.message.partition(": ")[2].split(" -> "))


def test_a_table_that_reads_itself_is_a_circle(made):
    made.replaced("silver.a", "silver.a")
    assert "in a circle" in refused(made).message


def test_an_unknown_source_is_refused_with_file_line_and_suggestion(shop):
    shop.replaced("gold.daily", "silver.sale")
    error = refused(shop)
    assert error.message == "gold.daily reads 'silver.sale', which is not a table. Did you mean 'silver.sales'?"
    assert error.where == "jobs/gold/daily.py:4"


def test_two_tables_that_read_one_bronze_are_refused_with_the_read_to_use(shop):
    shop.merged("silver.tills", "bronze.sales")
    error = refused(shop)
    assert "bronze.sales is read by silver.sales, silver.tills" in error.message
    assert (error.where, error.fix) == ("jobs/silver/tills.py:4", 'read Affected("silver.sales", by=[...]) instead')


def test_changes_of_a_table_that_is_not_insert_only_are_refused_with_the_read_to_use(shop):
    shop.merged("silver.tills", "silver.sales")
    error = refused(shop)
    assert "silver.sales is not insert-only" in error.message
    assert (error.where, error.fix[:28]) == ("jobs/silver/tills.py:4", 'read Affected("silver.sales"')


@pytest.mark.parametrize("read", ['Affected("bronze.stock", by=["id"])', 'Snapshot("bronze.stock")'])
def test_bronze_is_read_by_changes_alone(shop, read):
    shop.module("gold.stock", read, 'Replace(by=["id"])' if "Affected" in read else "Replace()", ())
    error = refused(shop)
    assert "cannot read bronze.stock" in error.message
    assert error.fix.startswith('read Changes("bronze.stock")')


def test_changes_of_an_insert_only_table_are_taken(shop):
    shop.module("silver.stock", 'Changes("bronze.stock")', "Append()", ())
    shop.merged("silver.newest", "silver.stock")
    assert shop.load().node("silver.newest").sources == ("silver.stock",)


def test_a_module_that_cannot_be_loaded_leaves_no_manifest(shop):
    (shop.project.jobs / "gold" / "daily.py").write_text("1 / 0\n")
    assert refused(shop).where == "jobs/gold/daily.py:1"
    assert not (shop.project.cache / "manifest.json").exists()


# --- the manifest


def imports_pyspark(project: Project) -> bool:
    """Whether a fresh process imports pyspark to load the graph."""
    code = (
        "import sys, json; from pathlib import Path; from headgate.planning.graph import load_graph; "
        "from headgate.project import Project; load_graph(Project(Path(sys.argv[1]))); "
        "print(json.dumps('pyspark' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(project.root)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_an_unchanged_project_is_planned_without_importing_pyspark(shop):
    path = shop.project.jobs / "gold" / "daily.py"
    path.write_text("import pyspark\n" + path.read_text())
    assert imports_pyspark(shop.project)
    assert not imports_pyspark(shop.project)


def test_the_manifest_gives_the_graph_that_the_modules_gave(shop):
    shop.module("silver.stock", 'Changes("bronze.stock")', 'Append(partition_by=["day"])', ())
    shop.module("gold.whole", 'Snapshot("silver.stock", frozen=False)', "Replace()", ())
    history = 'History(keys=["id"], sequence_by="at", track=["a"], delete_when="gone")'
    shop.module("gold.past", 'Affected("silver.sales", by=["id"])', history, ())
    assert shop.load() == shop.load()


def test_the_manifest_is_read_while_nothing_changes(shop):
    shop.load()
    path = shop.project.cache / "manifest.json"
    path.write_text(path.read_text().replace("One row per gold.daily.", "From the manifest."))
    assert shop.load().node("gold.daily").grain == "From the manifest."


def change_module(made: Made) -> None:
    path = made.project.jobs / "gold" / "daily.py"
    path.write_text(path.read_text().replace("One row per gold.daily.", "Changed."))


def change_helper(made: Made) -> None:
    (made.project.jobs / "common").mkdir()
    (made.project.jobs / "common" / "helper.py").write_text("X = 1\n")


def change_contract(made: Made) -> None:
    path = made.project.datasets / "stock.yaml"
    path.write_text(path.read_text().replace("version: 1.0.0", "version: 1.0.1"))


def remove_module(made: Made) -> None:
    (made.project.jobs / "gold" / "weekly.py").unlink()


def rename_module(made: Made) -> None:
    weekly = made.project.jobs / "gold" / "weekly.py"
    weekly.write_text(weekly.read_text().replace("gold.weekly", "gold.yearly"))
    weekly.rename(weekly.with_name("yearly.py"))


def spoil(made: Made) -> None:
    (made.project.cache / "manifest.json").write_text('{"digest": ')


@pytest.mark.parametrize("change", [change_module, change_helper, change_contract, remove_module, rename_module, spoil])
def test_the_manifest_is_thrown_away_when_a_file_changes(shop, change):
    shop.load()
    manifest = shop.project.cache / "manifest.json"
    manifest.write_text(manifest.read_text().replace("One row per silver.items.", "From the manifest."))
    change(shop)
    assert shop.load().node("silver.items").grain == "One row per silver.items."


def test_a_project_that_cannot_be_written_is_loaded_all_the_same(shop):
    shop.project.cache.write_text("a file in place of the folder")
    assert len(shop.load().nodes) == 7
