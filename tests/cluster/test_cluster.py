"""Runs on Spark standalone, as real processes that are killed: the tables equal those of a clean run."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.project import Project
from tests.cluster.processes import SALES, Served, Site, ended_well, eventually, kill, processes, serve
from tests.engine import model
from tests.engine.world import sale
from tests.processes import free_port

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="finds the processes in /proc"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One cluster for the tests that leave it alive."""
    base = tmp_path_factory.mktemp("cluster")
    (base / "project").mkdir()
    for folder in ("conf", "jobs"):
        (base / "project" / folder).symlink_to(SALES / folder)
    with serve(Project(base / "project"), base / "log") as served:
        yield served


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A lake with an upload that has something of everything."""
    site = Site(tmp_path)
    site.world.upload([sale(1), sale(2), sale(3, day=2), "{broken", sale(5, day=3, items=[])], key="first")
    site.world.upload([sale(1, revised=1, total="11.00"), sale(2, revised=1, voided=True)], key="second")
    return site


def is_right(site: Site) -> bool:
    assert site.world.tables() == model.tables(site.world.sent)
    return True


def test_the_same_jobs_give_the_same_tables(cluster: Served, site: Site) -> None:
    site.run_well(cluster)
    assert is_right(site)
    site.world.now = site.world.now.now(site.world.now.tzinfo)
    site.world.upload([sale(3, day=2, revised=1, total="13.00"), sale(6, day=4)], key="third")
    site.run_well(cluster)
    assert is_right(site)
    done = cluster.state()["completedapps"]
    assert [(app["name"], app["cores"]) for app in done][-2:] == [("headgate", 2)] * 2  # it was there that they ran
    assert site.staged() == []


def test_a_run_all_of_whose_workers_are_killed_ends_right(cluster: Served, site: Site) -> None:
    """What was staged before outlives them: in the workers' memory it would be lost, and the run would fail."""
    site.hold()
    with site.running(cluster) as run:
        eventually(site.waiting, "a paused task")
        assert site.staged() != []
        killed = cluster.workers()
        kill(killed)
        eventually(lambda: len(set(cluster.workers()) - set(killed)) == 2, "two new workers")
        site.go_on()
        ended_well(run)
    assert is_right(site)
    assert site.staged() == []
    assert cluster.log.read_text().count("ended (SIGKILL): started again") >= 2


def test_a_killed_driver_leaves_nothing_at_work_and_the_next_run_resumes(cluster: Served, site: Site) -> None:
    site.hold()
    with site.running(cluster) as run:
        existing = eventually(site.waiting, "a paused task")
        kill([run.pid])
        run.wait()
    eventually(lambda: not cluster.at_work() and not existing & set(processes()), "the executors' end")
    eventually(lambda: not cluster.state()["activeapps"], "the end of the application")
    assert [worker["coresused"] for worker in cluster.state()["workers"] if worker["state"] == "ALIVE"] == [0, 0]
    assert len(site.staged()) == 1
    site.go_on()
    site.run_well(cluster)
    assert is_right(site)
    assert site.staged() == []


def test_a_run_whose_cluster_goes_away_says_so_and_resumes_on_another(tmp_path: Path, site: Site) -> None:
    site.hold()
    with serve(site.project, tmp_path / "log", "--workers", "1") as cluster, site.running(cluster) as run:
        eventually(site.waiting, "a paused task")
        cluster.process.terminate()
        output, errors = run.communicate(timeout=90)
    assert run.returncode == 1, output + errors
    assert f"error[cluster] silver.transactions: spark://127.0.0.1:{cluster.port}" in errors
    assert "Traceback" not in errors
    site.go_on()
    with serve(site.project, tmp_path / "log", "--workers", "1") as cluster:
        site.run_well(cluster)
    assert is_right(site)


@pytest.mark.parametrize(("how", "status"), [("SIGTERM", 0), ("SIGINT", 0), ("SIGKILL", -9)])
def test_however_the_cluster_is_ended_nothing_of_it_stays(tmp_path: Path, how: str, status: int) -> None:
    site = Site(tmp_path)
    with serve(site.project, tmp_path / "log", "--workers", "1") as cluster:
        started = [pid for pid in processes() if pid in cluster.workers()]
        assert len(started) == 1
        cluster.process.send_signal(getattr(signal, how))
        assert cluster.process.wait(30) == status
        eventually(lambda: not set(started) & set(processes()), "the workers' end")
        assert (tmp_path / "log").read_text() == ""


def test_a_second_cluster_on_the_same_port_is_refused(cluster: Served, tmp_path: Path) -> None:
    site = Site(tmp_path)
    refused = pytest.raises(AssertionError, match=f"port {cluster.port} cannot be listened on")
    with refused, serve(site.project, tmp_path / "log", "--port", str(cluster.port)):
        pass
    assert len(cluster.workers()) == 2


def test_without_a_cluster_a_run_says_at_once_which_it_looked_for(site: Site, cluster: Served) -> None:
    nowhere = Served(cluster.process, free_port(), cluster.ui, cluster.folder, cluster.log)
    began = time.monotonic()
    with site.running(nowhere) as run:
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 1
    assert errors.startswith(f"error[cluster]: spark://127.0.0.1:{nowhere.port}: no Spark master answers")
    assert time.monotonic() - began < 30
