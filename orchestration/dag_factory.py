"""Makes the DAGs of a deployed package from its manifest: a DAG per schedule, for arrivals, and for backfills."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, Param, task

from headgate.contracts.automation import ON_ARRIVAL, Schedule
from headgate.planning.manifest import Manifest
from orchestration.alerts import deadline_of, notify_timeout
from orchestration.commands import backfill_command, schedule_command
from orchestration.operators import FAILURE, OUTCOME, HeadgateJobOperator
from orchestration.triggers import LandingTrigger

_START = datetime(2026, 1, 1)
_TAGS = ("headgate",)

#: Tasks that only read or send: their failures are transient.
_RETRIED: dict[str, Any] = {"retries": 3, "retry_delay": timedelta(seconds=15)}


def dags_of(manifest: Manifest, poll_seconds: float = 20.0) -> Iterator[DAG]:
    """The DAGs of a manifest. Their ids are headgate_<environment>_<schedule>."""
    for schedule in manifest.schedules:
        yield _scheduled(manifest, schedule, poll_seconds)
    yield _backfill(manifest, poll_seconds)


def dag_id(manifest: Manifest, name: str) -> str:
    """The id of a schedule's DAG."""
    return f"headgate_{manifest.environment}_{name}".replace("-", "_")


def assets(manifest: Manifest) -> dict[str, Asset]:
    """One asset for each gold table, by its name. Its URI is the table's address."""
    return {
        table.name: Asset(name=f"{manifest.environment}.{table.name}", uri=f"{manifest.lake}/{_path(table.name)}")
        for table in manifest.layer("gold")
    }


def landing_asset(manifest: Manifest) -> Asset:
    """The asset of new uploads, which a watcher on the landing queue updates."""
    trigger = LandingTrigger(manifest.queue_url, manifest.job.region)
    name = f"{manifest.environment}.landing"
    uri = f"{manifest.lake}/landing"
    return Asset(name=name, uri=uri, watchers=[AssetWatcher(name=f"{name}.queue", trigger=trigger)])


def _scheduled(manifest: Manifest, schedule: Schedule, poll_seconds: float) -> DAG:
    on_arrival = schedule.name == ON_ARRIVAL and manifest.queue_url
    with _dag(
        manifest,
        schedule,
        [landing_asset(manifest)] if on_arrival else (schedule.cron or None),
        doc_md=_doc(manifest, schedule),
    ) as dag:
        planned = _plan_task(manifest, schedule)()
        previous = planned
        for verb in schedule.verbs:
            job = _job(manifest, verb, schedule_command(manifest, schedule, verb), schedule.retries, poll_seconds)
            if verb == "run" or len(schedule.verbs) == 1:
                previous >> job
            else:
                # The nightly checks also follow a skipped run.
                job.trigger_rule = "none_failed"
                previous >> job
            previous = job
        _notify_task(manifest, schedule, previous)
    return dag


def _dag(manifest: Manifest, schedule: Schedule, when: Any, **arguments: Any) -> DAG:
    extra: dict[str, Any] = {}
    if deadline := deadline_of(manifest, schedule):
        extra["deadline"] = deadline
    return DAG(
        dag_id(manifest, schedule.name),
        schedule=when,
        start_date=_START,
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(minutes=schedule.timeout_minutes),
        on_failure_callback=notify_timeout(manifest, schedule) if manifest.topic_arn else None,
        tags=[*_TAGS, manifest.environment],
        **arguments,
        **extra,
    )


def _plan_task(manifest: Manifest, schedule: Schedule) -> Any:
    """Ends the run if nothing is new: the job is skipped, and no EMR job starts."""

    @task.short_circuit(task_id="plan", ignore_downstream_trigger_rules=False, **_RETRIED)
    def plan() -> bool:
        """Reads the lake's logs and lists landing, without Spark. True if a table has work."""
        from airflow.sdk import get_current_context

        from orchestration.planning import plan as plan_tables
        from orchestration.planning import plan_summary

        planned = plan_tables(manifest, schedule.select)
        get_current_context()["ti"].xcom_push(key="plan", value=plan_summary(planned))
        return bool(planned)

    return plan


def _job(
    manifest: Manifest, task_id: str, arguments: list[str], retries: int, poll_seconds: float
) -> HeadgateJobOperator:
    return HeadgateJobOperator(
        task_id=task_id,
        settings=manifest.job,
        lake=manifest.lake,
        arguments=arguments,
        outlet_assets=assets(manifest) if task_id in ("run", "backfill") else None,
        poll_seconds=poll_seconds,
        pool=manifest.pool,
        retries=retries,
        retry_delay=timedelta(seconds=max(poll_seconds, 1)),
        retry_exponential_backoff=True,
        max_retry_delay=timedelta(minutes=10),
    )


def _notify_task(manifest: Manifest, schedule: Schedule, last: Any) -> None:
    """A teardown task: it runs whatever happened before it, and does not change the run's state."""
    if not manifest.topic_arn:
        return
    dag_name, verbs = dag_id(manifest, schedule.name), [*schedule.verbs]

    @task(task_id="notify", **_RETRIED)
    def notify() -> list[str]:
        """Sends success, failure or recovery to SNS, if the schedule asks for it."""
        from airflow.sdk import get_current_context

        from orchestration.alerts import send_outcome

        ti = get_current_context()["ti"]
        tasks = ["plan", *verbs]
        failures = {name: ti.xcom_pull(task_ids=name, key=FAILURE) for name in tasks}
        outcomes = [ti.xcom_pull(task_ids=name, key=OUTCOME) for name in verbs]
        states = ti.get_task_states(dag_id=dag_name, task_ids=tasks, run_ids=[ti.run_id]).get(ti.run_id, {})
        return send_outcome(manifest, schedule, ti.run_id, states, failures, outcomes)

    last >> notify().as_teardown()


_BACKFILL_PARAMETERS = {
    "table": Param("", type="string", description="The table, such as silver.transactions."),
    "store": Param("", type="string", description="Only uploads of this store."),
    "from": Param("", type="string", description="First landing day, yyyy-mm-dd."),
    "to": Param("", type="string", description="Last landing day, yyyy-mm-dd."),
    "uploads": Param([], type="array", description="Only these uploads."),
    "by": Param([], type="array", description="Slices of a gold table, such as sale_date=2026-03-02."),
    "confirm": Param(False, type="boolean", description="Off: only the dry run, which shows the work."),
}


def _backfill(manifest: Manifest, poll_seconds: float) -> DAG:
    schedule = Schedule(name="backfill", notify=("success", "failure"), timeout_minutes=24 * 60)
    with _dag(manifest, schedule, None, params=_BACKFILL_PARAMETERS, doc_md=_BACKFILL_DOC) as dag:

        @task(task_id="arguments")
        def arguments() -> dict[str, list[str]]:
            """The command lines of the parameters, by task. Fails if no table is named or nothing is chosen."""
            from airflow.sdk import get_current_context

            parameters = dict(get_current_context()["params"])
            return {
                "dry_run": backfill_command(manifest, parameters, dry_run=True),
                "backfill": backfill_command(manifest, parameters, dry_run=False),
            }

        @task.short_circuit(task_id="confirmed", ignore_downstream_trigger_rules=False)
        def confirmed() -> bool:
            """Goes on only if the parameter `confirm` is set."""
            from airflow.sdk import get_current_context

            return bool(get_current_context()["params"]["confirm"])

        command = arguments()
        dry_run = _job(manifest, "dry_run", [], 1, poll_seconds)
        dry_run.arguments = "{{ ti.xcom_pull(task_ids='arguments')['dry_run'] | tojson }}"
        backfill = _job(manifest, "backfill", [], 1, poll_seconds)
        backfill.arguments = "{{ ti.xcom_pull(task_ids='arguments')['backfill'] | tojson }}"
        gate = confirmed()
        command >> dry_run >> gate >> backfill
    return dag


def _doc(manifest: Manifest, schedule: Schedule) -> str:
    when = f"`{schedule.cron}` (UTC)" if schedule.cron else "when uploads arrive"
    rows = [f"| {table.name} | {table.grain} | {', '.join(table.reads)} |" for table in manifest.tables]
    return "\n".join(
        [
            f"**{schedule.name}** of `{manifest.project}` in `{manifest.environment}`: {when}.",
            "",
            f"Runs {', '.join(f'`headgate {verb}`' for verb in schedule.verbs)} of package `{manifest.version}`,"
            f" selection: {', '.join(schedule.select) or 'all tables'}.",
            "The plan task ends the run without an EMR job if nothing is new.",
            "",
            "| table | grain | reads |",
            "|---|---|---|",
            *rows,
        ]
    )


_BACKFILL_DOC = """Computes chosen uploads, or slices of a table, again.

Trigger it with parameters. Without `confirm` it makes only the dry run; its log shows the work.
Trigger it again with `confirm` to do it.
"""


def _path(table: str) -> str:
    return table.replace(".", "/")
