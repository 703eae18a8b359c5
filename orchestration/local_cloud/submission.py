"""The job in a request: the arguments of spark-submit, as EMR accepts them, as a value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

#: Options whose value is a comma-separated list of files, and the Spark setting that means the same.
FILE_OPTIONS = {
    "--jars": "spark.jars",
    "--py-files": "spark.submit.pyFiles",
    "--files": "spark.files",
    "--archives": "spark.archives",
}
#: Options without a value.
_SWITCHES = {"--verbose", "--supervise"}
#: The settings by which EMR Serverless and YARN pass variables to the driver.
_DRIVER_VARIABLES = ("spark.emr-serverless.driverEnv.", "spark.yarn.appMasterEnv.")
#: Sizes and places of a cluster, which a single machine does not have.
_CLUSTER_ONLY = re.compile(
    r"spark\.(master|submit\.deployMode|(driver|executor)\.(memory|cores|memoryOverhead|disk)|"
    r"dynamicAllocation\..*|executor\.instances|emr-serverless\..*|yarn\..*|"
    r"hadoop\.hive\.metastore\.client\.factory\.class|archives|jars|files|submit\.pyFiles)"
)
_CLUSTER_OPTIONS = {
    "--master": "spark.master",
    "--deploy-mode": "spark.submit.deployMode",
    "--driver-memory": "spark.driver.memory",
    "--driver-cores": "spark.driver.cores",
    "--executor-memory": "spark.executor.memory",
    "--executor-cores": "spark.executor.cores",
    "--num-executors": "spark.executor.instances",
    "--name": "spark.app.name",
}
#: The defaults of EMR Serverless: workers of 4 vCPU and 14 GB, one driver and three executors.
_DEFAULT_CORES, _DEFAULT_MEMORY, _DEFAULT_EXECUTORS = "4", "14g", "3"


@dataclass(frozen=True)
class Submission:
    """One job: the entry point, its arguments, Spark settings, files by option, and the driver's variables."""

    entry: str
    arguments: tuple[str, ...] = ()
    conf: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def local_conf(self) -> dict[str, str]:
        """The settings that are also valid on a single machine: without sizes, places and files of the cluster."""
        return {name: value for name, value in self.conf.items() if not _CLUSTER_ONLY.fullmatch(name)}

    @property
    def vcpus(self) -> int:
        """The cores that the job asks for, driver and executors together."""
        executors = int(self.conf.get("spark.executor.instances", _DEFAULT_EXECUTORS))
        cores = self.conf.get
        driver = int(cores("spark.driver.cores", _DEFAULT_CORES))
        return driver + executors * int(cores("spark.executor.cores", _DEFAULT_CORES))

    @property
    def memory_gb(self) -> float:
        """The memory that the job asks for in GB, driver and executors together, without overhead."""
        executors = int(self.conf.get("spark.executor.instances", _DEFAULT_EXECUTORS))
        driver = _gigabytes(self.conf.get("spark.driver.memory", _DEFAULT_MEMORY))
        return driver + executors * _gigabytes(self.conf.get("spark.executor.memory", _DEFAULT_MEMORY))


def parse(tokens: Sequence[str], entry: str = "", arguments: Iterable[str] = ()) -> Submission:
    """The job of spark-submit's arguments.

    EMR Serverless names `entry` and its `arguments` apart from the options in `tokens`; for an EMR step they follow
    the options. Raises ValueError if there is no entry point or an option has no value.
    """
    conf: dict[str, str] = {}
    files: dict[str, tuple[str, ...]] = {}
    rest = list(tokens)
    while rest and rest[0].startswith("-"):
        option, value, rest = _next_option(rest)
        if option in ("--conf", "-c"):
            name, _, text = value.partition("=")
            conf[name] = text
        elif option in FILE_OPTIONS:
            files[option] = tuple(filter(None, value.split(",")))
        elif option in _CLUSTER_OPTIONS:
            conf[_CLUSTER_OPTIONS[option]] = value
        elif option not in _SWITCHES:
            raise ValueError(f"spark-submit option {option} is not supported by the local cloud")
    for option, setting in FILE_OPTIONS.items():
        if option not in files and conf.get(setting):
            files[option] = tuple(conf[setting].split(","))
    if not (entry or rest):
        raise ValueError("the job has no entry point")
    if not entry:
        entry, *arguments = rest
    return Submission(entry, tuple(arguments), conf, files, _variables(conf))


def _next_option(tokens: Sequence[str]) -> tuple[str, str, list[str]]:
    """The first option of the tokens, its value, and the tokens after it."""
    option, equals, value = tokens[0].partition("=")
    if option in _SWITCHES or equals:
        return option, value, list(tokens[1:])
    if len(tokens) < 2:
        raise ValueError(f"spark-submit option {option} has no value")
    return option, tokens[1], list(tokens[2:])


def _variables(conf: Mapping[str, str]) -> dict[str, str]:
    return {
        name.removeprefix(prefix): value
        for name, value in conf.items()
        for prefix in _DRIVER_VARIABLES
        if name.startswith(prefix)
    }


def _gigabytes(text: str) -> float:
    """A size such as `14g` or `512m` in GB."""
    number, unit = re.fullmatch(r"(\d+)([kmgt]?)b?", text.lower()).groups()  # type: ignore[union-attr]
    return int(number) * {"": 2**-30, "k": 2**-20, "m": 2**-10, "g": 1, "t": 2**10}[unit]
