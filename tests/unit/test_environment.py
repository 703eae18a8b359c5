"""Environments: a file, the variables over it, and their errors."""

from datetime import timedelta
from pathlib import Path

import obstore
import pytest

from headgate.contracts.environment import Cluster, Receiver, load_environment
from headgate.contracts.environment_variables import RESERVED
from headgate.errors import EnvironmentConfigError
from headgate.project import Project

REPOSITORY = Project(Path(__file__).parents[2])
DIGEST = "2aebb2b91b71eb57d47209debf3ed5c4d3fd06eddad236dca956dcee05216705"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "conf" / "environments").mkdir(parents=True)
    (tmp_path / "jobs").mkdir()
    return Project(tmp_path)


@pytest.fixture
def load(project):
    """Loads an environment's text, with variables."""

    def load_text(text: str = "lake: lake\n", **variables: str):
        (project.environments / "local.yaml").write_text(text)
        return load_environment(project, "local", variables)

    return load_text


@pytest.fixture
def refusal(load):
    """The message that an environment is refused with."""

    def refuse(text: str = "lake: lake\n", **variables: str) -> str:
        with pytest.raises(EnvironmentConfigError) as caught:
            load(text, **variables)
        return str(caught.value)

    return refuse


def test_the_repositorys_own_local_environment_is_valid():
    environment = load_environment(REPOSITORY, environ={})
    assert environment.folder == REPOSITORY.root / "lake"
    assert set(environment.receiver.store_keys) == {f"store-{n}" for n in range(1, 9)}


def test_a_lake_is_all_that_has_to_be_said(load):
    environment = load()
    assert (environment.name, environment.engine, environment.spark) == ("local", "local", {})
    assert (environment.lookback, environment.receiver) == (timedelta(hours=26), Receiver())


def test_a_relative_lake_is_in_the_project(load, project):
    assert load("lake: data/lake\n").folder == project.root / "data" / "lake"


def test_an_absolute_lake_stays_where_it_is(load, tmp_path):
    assert load(f"lake: {tmp_path}/elsewhere\n").lake == f"{tmp_path}/elsewhere"


def test_a_lake_in_s3_is_no_folder(load):
    environment = load("lake: s3://bucket/prefix/\n")
    assert (environment.lake, environment.is_folder) == ("s3://bucket/prefix", False)
    with pytest.raises(EnvironmentConfigError, match="s3://bucket/prefix"):
        _ = environment.folder


def test_the_tables_of_a_namespace_are_not_registered_in_the_environments_catalog(load):
    text = "lake: s3://bucket/prefix\ncatalog: {database: shared}\n"
    assert load(text).catalog.database == "shared"
    assert load(text, HEADGATE_NAMESPACE="ada").catalog.database == ""
    own = {"HEADGATE_NAMESPACE": "ada", "HEADGATE_CATALOG_DATABASE": "ada"}
    assert load(text, **own).catalog.database == "ada"


def test_a_namespace_is_a_lake_of_its_own_below_the_environments(load):
    assert load("lake: s3://bucket/prefix/\n", HEADGATE_NAMESPACE="ada").lake == "s3://bucket/prefix/namespaces/ada"


@pytest.mark.parametrize("name", ["../prod", "Ada", "a/b", "-a"])
def test_a_namespace_cannot_leave_its_folder(refusal, name):
    assert "HEADGATE_NAMESPACE" in refusal("lake: s3://bucket/prefix\n", HEADGATE_NAMESPACE=name)


def test_a_table_is_in_the_folder_of_its_layer(load, project):
    assert load().table_uri("silver.transactions") == f"{project.root}/lake/silver/transactions"


def test_a_table_in_s3_has_an_address(load):
    assert load("lake: s3://bucket/p\n").table_uri("gold.sales") == "s3://bucket/p/gold/sales"


def test_the_object_store_of_a_folder_is_rooted_at_the_lake(load, project):
    obstore.put(load().object_store(), "landing/x", b"y")
    assert (project.root / "lake" / "landing" / "x").read_bytes() == b"y"


def test_the_object_store_of_s3_is_rooted_at_the_prefix(load):
    store = load("lake: s3://bucket/prefix\n").object_store()
    assert (store.config["bucket"], store.prefix) == ("bucket", "prefix")


def test_spark_settings_become_the_text_that_spark_takes(load):
    environment = load("lake: lake\nspark: {a: true, b: 4, c: 2g}\n")
    assert environment.spark == {"a": "true", "b": "4", "c": "2g"}


def test_store_keys_are_digests_by_store(load):
    environment = load(f"lake: lake\nreceiver: {{store_keys: {{store-1: [{DIGEST}]}}}}\n")
    assert environment.receiver.store_keys == {"store-1": (DIGEST,)}


# --- variables


def test_a_variable_comes_before_the_file(load, tmp_path):
    assert load(HEADGATE_LAKE=str(tmp_path / "other")).folder == tmp_path / "other"


def test_a_variable_sets_a_nested_key(load):
    environment = load("lake: lake\nreceiver: {port: 1, threads: 3}\n", HEADGATE_RECEIVER_PORT="8081")
    assert (environment.receiver.port, environment.receiver.threads) == (8081, 3)


def test_a_variable_sets_what_the_file_leaves_out(load):
    assert load(HEADGATE_RECEIVER_MAX_UPLOAD_BYTES="10").receiver.max_upload_bytes == 10


def test_a_variable_is_read_as_yaml(load):
    assert load(HEADGATE_SPARK="{spark.executor.cores: 2}").spark == {"spark.executor.cores": "2"}


def test_a_variable_for_text_is_text_whatever_it_looks_like(load, project):
    assert load(HEADGATE_LAKE="123").folder == project.root / "123"


def test_the_narrower_of_two_variables_wins(load):
    receiver = load(HEADGATE_RECEIVER="{port: 1, threads: 2}", HEADGATE_RECEIVER_PORT="3").receiver
    assert (receiver.port, receiver.threads) == (3, 2)


def test_an_unknown_variable_is_refused_with_the_nearest(refusal):
    message = refusal(HEADGATE_RECIEVER_PORT="1")
    assert "HEADGATE_RECIEVER_PORT" in message
    assert "Did you mean 'HEADGATE_RECEIVER_PORT'?" in message


@pytest.mark.parametrize("name", RESERVED)
def test_a_reserved_variable_is_left_to_its_owner(load, name):
    assert load(**{name: "receiver.claimed"}) == load()


def test_other_variables_are_no_concern(load):
    assert load(PATH="x", LAKE="y") == load()


def test_a_wrong_variable_is_named(refusal):
    assert refusal(HEADGATE_RECEIVER_PORT="80a").startswith("HEADGATE_RECEIVER_PORT: receiver.port")


def test_a_variable_that_is_no_yaml_is_named(refusal):
    assert refusal(HEADGATE_RECEIVER_PORT="[").startswith("HEADGATE_RECEIVER_PORT: not YAML")


# --- refusals


def test_a_missing_environment_comes_with_those_that_exist(project, load):
    load()
    with pytest.raises(EnvironmentConfigError) as caught:
        load_environment(project, "locl", {})
    assert "Did you mean 'local'?" in str(caught.value)
    assert "known: local" in str(caught.value)


def test_a_name_leads_nowhere_else(project, load):
    load()
    with pytest.raises(EnvironmentConfigError):
        load_environment(project, "../environments/local", {})


def test_an_unknown_key_is_refused_with_its_line_and_the_nearest(refusal):
    message = refusal("lake: lake\nreceiver:\n  prt: 1\n")
    assert message.startswith("conf/environments/local.yaml:3: receiver.prt")
    assert "Did you mean 'port'?" in message


def test_every_problem_is_told_at_once(refusal):
    assert refusal("lake: 1\nengine: lokal\nspark: {a: [1]}\n").startswith("3 problems")


@pytest.mark.parametrize("lake", ["gs://b/p", "s3://", "s3:///p", "s3a://b/p", "file:///x", "''"])
def test_a_lake_is_a_folder_or_in_s3(refusal, lake):
    assert "a folder, or s3://bucket/prefix" in refusal(f"lake: {lake}\n")


@pytest.mark.parametrize("hours", ["1", "0", "-3", ".nan"])
def test_a_lookback_that_could_miss_an_upload_is_refused(refusal, hours):
    message = refusal(f"lake: lake\nlookback_hours: {hours}\n")
    assert "local.yaml:2" in message
    assert "65 minutes" in message


@pytest.mark.parametrize("hours", [".inf", "1.0e+12"])
def test_a_lookback_without_bounds_is_refused(refusal, hours):
    assert "at most a year" in refusal(f"lake: lake\nlookback_hours: {hours}\n")


def test_the_least_lookback_is_taken(load):
    assert load("lake: lake\nlookback_hours: 1.09\n").lookback >= timedelta(minutes=65)


@pytest.mark.parametrize("keys", ["{store-1: [demo-store-1]}", "{store-1: demo-store-1}", "demo-store-1"])
def test_a_key_in_the_place_of_its_digest_is_refused_and_not_repeated(refusal, keys):
    message = refusal(f"lake: lake\nreceiver:\n  store_keys: {keys}\n")
    assert "digest" in message or "SHA-256" in message
    assert "demo-store-1" not in message


def test_an_empty_file_is_refused(refusal):
    assert "is empty" in refusal("# to be written\n")


def test_a_cluster_is_this_machine_unless_it_is_told_otherwise(load):
    environment = load("lake: lake\nengine: cluster\ncluster: {port: 7177, workers: 3}\n", HEADGATE_CLUSTER_WORKERS="4")
    assert environment.is_cluster and not load().is_cluster
    assert environment.cluster == Cluster(port=7177, workers=4)
    assert (environment.cluster.master, environment.cluster.ui) == ("spark://127.0.0.1:7177", "http://127.0.0.1:7080")


def test_the_repositorys_own_cluster_has_the_lake_of_local():
    cluster, local = (load_environment(REPOSITORY, name, environ={}) for name in ("cluster", "local"))
    assert (cluster.lake, cluster.cluster, cluster.is_cluster) == (local.lake, Cluster(), True)
