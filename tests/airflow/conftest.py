"""Airflow's tests run in Airflow's environment: `make test-airflow`. `make test` leaves them out."""

import importlib.util
import os
import tempfile
from pathlib import Path

# Before the first import of Airflow: its configuration and database are in this folder.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="headgate-airflow-"))
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("AIRFLOW__CORE__UNIT_TEST_MODE", "False")

if importlib.util.find_spec("airflow") is None:
    collect_ignore_glob = ["*"]
else:
    import pytest

    from headgate.planning.manifest import Manifest
    from tests.airflow.manifests import example_manifest

    @pytest.fixture
    def manifest() -> Manifest:
        """The manifest of a small retailer: three schedules, four tables."""
        return example_manifest()

    @pytest.fixture
    def manifest_folder(tmp_path: Path, manifest: Manifest) -> Path:
        """A folder with the manifest, as the DAG module reads it."""
        (tmp_path / "prod.json").write_text(manifest.to_json())
        return tmp_path
