"""The checks of a run on a cluster before Spark starts, and the Python path of executors."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from headgate.contracts.environment import load_environment
from headgate.engine.runtime.workers import python_path, require_master
from headgate.errors import ClusterError
from headgate.project import Project

REPOSITORY = Project(Path(__file__).parents[2])


def test_no_master_is_said_at_once():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens on it, and nobody can begin to
        master = f"spark://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ClusterError, match=master) as caught:
            require_master(master)
    assert "headgate serve cluster" in caught.value.fix


def test_one_of_several_masters_is_enough_and_spark_in_process_needs_none():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        require_master(f"spark://127.0.0.1:1,127.0.0.1:{listening.getsockname()[1]}")
    require_master("local[2]")


def test_executors_find_headgate_and_the_project_before_what_this_process_was_given(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/opt/more", "", "/opt/more"]))
    places = python_path(load_environment(REPOSITORY, "cluster", environ={})).split(os.pathsep)
    assert places[1:] == [str(REPOSITORY.root), "/opt/more"]
    assert (Path(places[0]) / "headgate" / "__init__.py").exists()
