"""The EMR releases that Headgate can run on, and whether the pinned versions fit one of them."""

from __future__ import annotations

from dataclasses import dataclass

from headgate.errors import EnvironmentConfigError, suggestion


@dataclass(frozen=True)
class Versions:
    """The versions in a release, or those that Headgate pins. `pythons` are the interpreters that can run the job."""

    spark: str
    delta: str
    scala: str
    java: int
    hadoop: str
    pythons: tuple[str, ...]


#: By release label. The release notes of EMR are the source; Amazon's builds add a suffix such as -amzn-0.
RELEASES = {
    "emr-spark-8.1.0": Versions("4.1.1", "4.2.0", "2.13", 17, "3.4.2", ("3.11", "3.13")),
    "emr-7.14.0": Versions("3.5.6", "3.3.2", "2.12", 17, "3.4.1", ("3.9", "3.11")),
}


def require_fit(release: str, pinned: Versions) -> Versions:
    """Returns the versions in `release`. Raises EnvironmentConfigError for an unknown release and for versions that
    differ.

    Patch versions of Spark and Delta have to be equal, because Delta is built for one version of Spark.
    """
    if release not in RELEASES:
        raise EnvironmentConfigError(
            f"unknown EMR release '{release}'.{suggestion(release, RELEASES)}",
            where="emr.release",
            fix=f"Headgate knows {', '.join(RELEASES)}; add new releases in headgate.aws.package.releases",
        )
    brought = RELEASES[release]
    differences = [
        f"{name}: the release has {theirs}, Headgate is pinned to {ours}"
        for name, theirs, ours in (
            ("Spark", brought.spark, pinned.spark),
            ("Delta", brought.delta, pinned.delta),
            ("Scala", brought.scala, pinned.scala),
            ("Hadoop", brought.hadoop, pinned.hadoop),
        )
        if theirs != ours
    ]
    for python in pinned.pythons:
        if python not in brought.pythons:
            differences.append(f"Python: the release has {' and '.join(brought.pythons)}, the package needs {python}")
    if differences:
        raise EnvironmentConfigError(
            f"the package does not fit {release}: {'; '.join(differences)}",
            where="emr.release",
            fix="choose the release that has the pinned versions, or pin the versions of the release and test them",
        )
    return brought
