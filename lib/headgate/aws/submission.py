"""How a package's jobs are submitted: addresses and spark-submit parameters, for EMR Serverless and for steps."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from headgate.aws.package.package import Package
from headgate.contracts.emr import SERVERLESS, Emr
from headgate.contracts.environment import Environment
from headgate.planning.manifest import SERVERLESS as EMR_SERVERLESS
from headgate.planning.manifest import STEPS as EMR_STEPS
from headgate.planning.manifest import JobSettings

#: Where the release keeps its Delta jars.
_RELEASE_DELTA = ("/usr/share/aws/delta/lib/delta-spark.jar", "/usr/share/aws/delta/lib/delta-storage.jar")
_PYTHON = "./environment/bin/python"
_PATHS = "./app/lib:./app/project"


def job_settings(environment: Environment, package: Package) -> JobSettings:
    """How jobs of a package are submitted, as the deploy manifest says it to schedulers."""
    emr = environment.emr
    base = f"{emr.artifacts}/{environment.name}"
    return JobSettings(
        platform=EMR_SERVERLESS if emr.kind == SERVERLESS else EMR_STEPS,
        region=emr.region,
        entry_point=f"{base}/packages/{package.version}/entry.py",
        spark_submit_parameters=parameters(emr, environment.spark, package, base),
        application_id=emr.application_id,
        cluster_id=emr.cluster_id,
        execution_role_arn=emr.execution_role,
        log_uri=emr.logs_address,
        timeout_minutes=emr.timeout_minutes,
    )


def parameters(emr: Emr, spark: Mapping[str, str], package: Package, base: str) -> str:
    """The options of spark-submit in one line: archives, jars, variables, and the environment's Spark settings."""
    archives = [
        f"{base}/{package.file('environment-').name}#environment",
        f"{base}/{package.file('app-').name}#app",
    ]
    jars = [f"{base}/{jar.name}" for jar in package.jars]
    if emr.delta == "release":
        jars += _RELEASE_DELTA
    settings = {
        "spark.archives": ",".join(archives),
        "spark.jars": ",".join(jars),
        **_variables(emr),
        **spark,
    }
    return shlex.join(token for name, value in settings.items() for token in ("--conf", f"{name}={value}"))


def _variables(emr: Emr) -> dict[str, str]:
    """The driver's and the executors' Python and search path."""
    driver = "spark.emr-serverless.driverEnv" if emr.kind == SERVERLESS else "spark.yarn.appMasterEnv"
    shared: Sequence[tuple[str, str]] = (("PYSPARK_PYTHON", _PYTHON), ("PYTHONPATH", _PATHS))
    return {
        f"{driver}.PYSPARK_DRIVER_PYTHON": _PYTHON,
        **{f"{driver}.{name}": value for name, value in shared},
        f"{driver}.AWS_REGION": emr.region,
        **{f"spark.executorEnv.{name}": value for name, value in shared},
    }
