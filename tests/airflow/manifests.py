"""A manifest to test with."""

from headgate.contracts.automation import OUTCOMES, VERBS, Schedule
from headgate.planning.manifest import SERVERLESS, JobSettings, Manifest, ManifestTable

SETTINGS = JobSettings(
    platform=SERVERLESS,
    region="eu-west-1",
    entry_point="s3://artifacts/prod/job.py",
    application_id="00application",
    execution_role_arn="arn:aws:iam::123456789012:role/headgate-job",
    log_uri="s3://lake/logs",
)


def example_manifest() -> Manifest:
    """Three schedules, four tables, a topic and a queue."""
    return Manifest(
        project="retail",
        environment="prod",
        version="0123abcd",
        lake="s3://lake/prod",
        job=SETTINGS,
        tables=(
            ManifestTable("bronze.transactions", grain="One row per record of each upload."),
            ManifestTable("silver.transactions", ("bronze.transactions",), grain="One row per transaction."),
            ManifestTable("gold.daily_sales", ("silver.transactions",), ("sales",), "One row per store and day."),
            ManifestTable("gold.fct_sales", ("silver.transactions",), ("sales",), "One row per item sold."),
        ),
        schedules=(
            Schedule("intraday", "*/10 * * * *", deadline_minutes=30),
            Schedule("nightly", "0 2 * * *", verbs=VERBS, notify=OUTCOMES),
            Schedule("on_arrival"),
        ),
        topic_arn="arn:aws:sns:eu-west-1:123456789012:alerts",
        queue_url="http://127.0.0.1:5555/123456789012/landing",
    )
