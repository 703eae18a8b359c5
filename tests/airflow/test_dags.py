"""The DAGs of a manifest: they parse quickly without Spark and network, and have the required properties."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bin.publish_schedulers import DAGS_PREFIX, files
from orchestration.dag_factory import assets, dags_of
from orchestration.operators import HeadgateJobOperator

ROOT = Path(__file__).parents[2]

_PARSE = """
import json, socket, sys, time
import airflow.sdk, airflow.providers.amazon.aws.hooks.base_aws
def refuse(*args, **kwargs):
    raise AssertionError("the DAG module uses the network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
started = time.process_time()
import runpy
module = runpy.run_path(sys.argv[1])
seconds = time.process_time() - started
print(json.dumps({
    "seconds": seconds,
    "dags": sorted(name for name in module if name.startswith("headgate_")),
    "heavy": sorted({"pyspark", "py4j", "deltalake", "obstore"} & set(sys.modules)),
}))
"""


@pytest.fixture
def dags(manifest):
    return {dag.dag_id: dag for dag in dags_of(manifest)}


def test_the_dag_module_parses_within_a_second_of_processor_time_without_spark_and_network(manifest_folder):
    variables = {
        **os.environ,
        "AIRFLOW_HEADGATE_MANIFESTS": str(manifest_folder),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'lib'}",
    }
    command = [sys.executable, "-c", _PARSE, str(ROOT / "orchestration" / "dags" / "headgate_dags.py")]
    best = min((_parse(command, variables) for _ in range(2)), key=lambda result: result["seconds"])
    assert best["dags"] == [f"headgate_prod_{name}" for name in ("backfill", "intraday", "nightly", "on_arrival")]
    assert best["heavy"] == []
    print(f"the DAG module parses in {best['seconds']:.2f} s")
    assert best["seconds"] < 1


def test_the_published_dags_folder_loads_by_itself_and_only_its_dag_module_is_parsed(manifest, tmp_path):
    for key, body in files("prod", manifest.to_json()).items():
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    dags = tmp_path / DAGS_PREFIX
    variables = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_HEADGATE")}
    result = _parse(
        [sys.executable, "-c", _PARSE, str(dags / "headgate_dags.py")], variables | {"PYTHONPATH": str(dags)}
    )
    assert len(result["dags"]) == 4
    assert (dags / ".airflowignore").read_text().split() == ["orchestration/", "headgate/"]


def _parse(command, variables):
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_every_dag_runs_once_at_a_time_without_catching_up_and_within_a_time_limit(dags):
    for dag in dags.values():
        assert (dag.max_active_runs, dag.catchup, bool(dag.dagrun_timeout)) == (1, False, True), dag.dag_id


def test_every_job_is_in_the_pool_and_follows_the_manifests_settings(dags, manifest):
    jobs = [task for dag in dags.values() for task in dag.tasks if isinstance(task, HeadgateJobOperator)]
    assert {job.pool for job in jobs} == {"headgate"}
    assert all(job.settings == manifest.job and job.deferrable for job in jobs)
    assert len(jobs) == 1 + 4 + 1 + 2


def test_the_pool_that_the_dags_use_is_in_the_file_for_airflow_pools_import(manifest):
    pools = json.loads((ROOT / "orchestration" / "pools.json").read_text())
    assert pools[manifest.pool]["include_deferred"] is True


def test_the_nightly_dag_runs_its_verbs_one_after_the_other(dags):
    dag = dags["headgate_prod_nightly"]
    following = {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks}
    assert following == {
        "plan": ["run"],
        "run": ["reconcile"],
        "reconcile": ["check"],
        "check": ["maintain"],
        "maintain": ["notify"],
        "notify": [],
    }
    assert dag.get_task("notify").is_teardown


def test_the_documentation_of_a_dag_names_each_table_with_its_grain(dags, manifest):
    for table in manifest.tables:
        assert f"| {table.name} | {table.grain} |" in dags["headgate_prod_intraday"].doc_md


def test_each_gold_table_is_an_asset_at_its_address_and_no_other_table_is(manifest):
    assert {name: asset.uri for name, asset in assets(manifest).items()} == {
        "gold.daily_sales": "s3://lake/prod/gold/daily_sales",
        "gold.fct_sales": "s3://lake/prod/gold/fct_sales",
    }


def test_the_on_arrival_dag_starts_from_the_landing_queue(dags, manifest):
    (asset,) = dags["headgate_prod_on_arrival"].timetable.asset_condition.objects
    (watcher,) = asset.watchers
    assert watcher.trigger.serialize()[1]["queue_url"] == manifest.queue_url


def test_the_dags_survive_airflows_serialization(dags):
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in dags.values():
        assert DagSerialization.from_dict(DagSerialization.to_dict(dag)).dag_id == dag.dag_id
