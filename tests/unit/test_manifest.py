"""The deploy manifest: round trip, and errors with their place."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from headgate.contracts.automation import Schedule
from headgate.contracts.environment import load_environment
from headgate.errors import EnvironmentConfigError
from headgate.planning.deployment import manifest_of
from headgate.planning.graph import graph_from, load_graph
from headgate.planning.manifest import SERVERLESS, CurrentPackage, JobSettings, Manifest, load_manifest
from headgate.project import Project

SALES = Path(__file__).parents[1] / "projects" / "sales"
JOB = JobSettings(SERVERLESS, "eu-west-1", "s3://artifacts/job.py", application_id="00app")


@pytest.fixture
def manifest() -> Manifest:
    project = Project(SALES)
    variables = {"HEADGATE_AUTOMATION_SCHEDULES": "{nightly: {cron: '0 2 * * *', verbs: [run, maintain]}}"}
    environment = load_environment(project, environ=variables)
    return manifest_of("sales", "0123abcd", environment, load_graph(project), JOB)


def test_a_manifest_is_read_as_it_was_written(manifest):
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert manifest.schedules == (Schedule("nightly", "0 2 * * *", verbs=("run", "maintain")),)


def test_equal_manifests_have_equal_bytes(manifest):
    assert Manifest.from_json(manifest.to_json()).to_json() == manifest.to_json()


def test_the_manifests_graph_is_the_projects(manifest):
    assert graph_from(manifest.graph) == load_graph(Project(SALES))
    assert [table.name for table in manifest.tables] == list(load_graph(Project(SALES)).nodes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "manifest format 2, and this version of Headgate reads format 1"),
        ({"lakes": "x"}, "unknown key 'lakes'. Did you mean 'lake'?"),
        ({"lake": 1}, "manifest: lake: expected"),
        ({"tables": [{"reads": []}]}, "manifest: tables[0]: the key 'name' is missing"),
        ({"schedules": [{"name": "x", "verbs": ["runn"]}]}, "unknown 'runn'. Did you mean 'run'?"),
        ({"job": {"platform": "glue", "region": "x", "entry_point": "y"}}, "unknown platform 'glue'"),
    ],
)
def test_a_wrong_manifest_is_refused_with_the_place(manifest, change, message):
    text = json.dumps(json.loads(manifest.to_json()) | change)
    with pytest.raises(EnvironmentConfigError) as error:
        Manifest.from_json(text)
    assert message in str(error.value)


def test_a_missing_manifest_says_what_writes_it(tmp_path):
    with pytest.raises(EnvironmentConfigError, match="headgate deploy writes it"):
        load_manifest(tmp_path / "manifest.json")


def test_reading_a_manifest_imports_no_library():
    code = "import sys, headgate.planning.manifest; print(sorted({'yaml', 'obstore', 'pyspark'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_current_package_survives_json_and_anything_else_is_refused():
    current = CurrentPackage("s3://artifacts/prod/packages/2/manifest.json", ("2", "1"))
    assert CurrentPackage.from_json(current.to_json()) == current
    for text in ("", "[]", '{"versions": ["1"]}'):
        with pytest.raises(EnvironmentConfigError, match="does not name a package"):
            CurrentPackage.from_json(text, "s3://artifacts/prod/current.json")
