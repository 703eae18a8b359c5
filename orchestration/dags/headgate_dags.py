"""Airflow reads this module: it makes the DAGs of every manifest in `manifests/` next to it.

`AIRFLOW_HEADGATE_MANIFESTS` names another folder, `AIRFLOW_HEADGATE_POLL_SECONDS` how often jobs are looked at.
"""

import os
from pathlib import Path

from headgate.planning.manifest import load_manifest
from orchestration.dag_factory import dags_of

_folder = Path(os.environ.get("AIRFLOW_HEADGATE_MANIFESTS") or Path(__file__).with_name("manifests"))
_poll_seconds = float(os.environ.get("AIRFLOW_HEADGATE_POLL_SECONDS", "20"))

for _path in sorted(_folder.glob("*.json")):
    for _dag in dags_of(load_manifest(_path), _poll_seconds):
        globals()[_dag.dag_id] = _dag
