"""`headgate deploy`: builds the package of an environment and makes it current for EMR jobs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.catalog import drift_lines, has_catalog, registrations, show_after, show_registrations
from headgate.cli.options import Target, print_json, target_options
from headgate.cli.output import print_table, progress
from headgate.contracts.environment import effective_values
from headgate.errors import UsageError
from headgate.installed import require_installed
from headgate.planning.deployment import manifest_of
from headgate.planning.graph import load_graph

if TYPE_CHECKING:
    from headgate.aws.artifacts import Artifacts
    from headgate.aws.package.package import Package

_SHOWN_PARTS = 5


@click.command("deploy")
@target_options
@click.option("--dry-run", is_flag=True, help="Build and check the package, and upload nothing.")
@click.option("--rollback", is_flag=True, help="Make the previous package current.")
@click.option("--catalog-only", is_flag=True, help="Only register the gold tables in Glue; no package is built.")
@click.option("--prune", is_flag=True, help="Remove tables from Glue that the project no longer has.")
@click.option("--manifest-to", type=click.Path(path_type=Path), help="Also write the manifest to this file.")
def command(
    target: Target, dry_run: bool, rollback: bool, catalog_only: bool, prune: bool, manifest_to: Path | None
) -> None:
    """Build everything that EMR needs, upload it under a versioned prefix, and make it current.

    Where the environment has a catalog, the gold tables that are built are registered in Glue too.
    """
    if catalog_only:
        if rollback or manifest_to:
            raise UsageError("--catalog-only builds no package", fix="leave out --rollback and --manifest-to")
        _register(target, dry_run=dry_run, prune=prune)
        return
    require_emr(target)
    if rollback:
        _rollback(target, dry_run=dry_run)
        return
    package = build(target)
    manifest = _manifest(target, package)
    if manifest_to:
        manifest_to.write_text(manifest)
    outcome: dict[str, Any] = {"deployed": False} if dry_run else _deploy(target, package, manifest)
    if has_catalog(target):
        done = registrations(target, load_graph(target.project), dry_run=dry_run, prune=prune)
        outcome["catalog"] = [item.as_dict() for item in done if item.is_drift]
    _show(target, package, outcome)


def _register(target: Target, *, dry_run: bool, prune: bool) -> None:
    """Registers gold without a deployment."""
    done = registrations(target, load_graph(target.project), dry_run=dry_run, prune=prune)
    database = target.environment.catalog.database
    if target.as_json:
        print_json({"database": database, "dry_run": dry_run, "tables": [item.as_dict() for item in done]})
        return
    show_registrations(done, database, dry_run=dry_run)


def require_emr(target: Target) -> None:
    """Raises UsageError where the environment does not run on EMR, SetupError without boto3."""
    environment = target.environment
    if not environment.is_emr:
        raise UsageError(
            f"the environment '{environment.name}' runs on the engine {environment.engine}",
            where=target.project.relative(environment.path),
            fix="choose an environment with engine: emr, by --env",
        )
    require_installed("boto3", "packaging", extra="aws", where="deploy")


def artifacts_of(target: Target) -> Artifacts:
    """The packages of the target's environment in S3."""
    from headgate.aws.artifacts import Artifacts
    from headgate.aws.clients import BotoClients

    emr = target.environment.emr
    return Artifacts(BotoClients(emr.region).client("s3"), f"{emr.artifacts}/{target.environment.name}")


def build(target: Target) -> Package:
    """The package of the target, checked against its EMR release. Raises HeadgateError."""
    from headgate.aws.package import package
    from headgate.aws.package.releases import require_fit
    from headgate.engine.runtime.jars import DELTA, HEADGATE, S3A, ensure_jars

    emr = target.environment.emr
    require_fit(emr.release, package.pinned(emr, DELTA, S3A))
    jars = [*sorted(ensure_jars().glob("*.jar")), HEADGATE]
    values = effective_values(target.project, target.environment.name)
    progress("building the package; a new environment takes a minute")
    return package.build(target.project, target.environment, values, jars, target.project.cache / "deploy")


def _manifest(target: Target, package: Package) -> str:
    from headgate.aws.submission import job_settings

    graph = load_graph(target.project)
    settings = job_settings(target.environment, package)
    return manifest_of(target.project.root.name, package.version, target.environment, graph, settings).to_json()


def _deploy(target: Target, package: Package, manifest: str) -> dict[str, Any]:
    """Uploads and activates the package; returns a summary."""
    from headgate.aws.clients import aws_errors

    artifacts = artifacts_of(target)
    with aws_errors(artifacts.address):
        previous = next(iter(artifacts.current()), None)
        sent = artifacts.upload(package, manifest, progress)
        artifacts.activate(package.version)
        expired = artifacts.expire(target.environment.emr.keep_packages)
    return {"deployed": True, "previous": previous, "sent": sent, "expired": expired, "address": artifacts.address}


def _rollback(target: Target, *, dry_run: bool) -> None:
    from headgate.aws.clients import aws_errors

    artifacts = artifacts_of(target)
    with aws_errors(artifacts.address):
        versions = artifacts.current()
        if dry_run and len(versions) > 1:
            before, after = versions[:2]
        else:
            before, after = artifacts.rollback()
    if target.as_json:
        print_json({"from": before, "to": after, "dry_run": dry_run})
        return
    click.echo(f"{'would go' if dry_run else 'went'} back from package {before} to {after}")
    if not dry_run:
        click.echo("jobs that run now go on with theirs; tables are not changed (headgate rollback does that)")


def _show(target: Target, package: Package, outcome: dict[str, Any]) -> None:
    if target.as_json:
        print_json({**package.as_dict(), **outcome})
        return
    rows = [(file.name, f"{file.size / 1e6:,.1f}") for file in package.files]
    print_table(["file", "MB"], [*rows, ("all", f"{package.size / 1e6:,.1f}")], ["MB"])
    parts = ", ".join(f"{name} {size / 1e6:,.0f} MB" for name, size in package.largest[:_SHOWN_PARTS])
    click.echo(f"\nlargest parts of the Python environment, unpacked: {parts}")
    click.echo(f"package {package.version} for {package.release} on {package.architecture}")
    if not outcome["deployed"]:
        for line in drift_lines({"tables": outcome.get("catalog", ())}):
            click.echo(line)
        click.echo("dry run: nothing was uploaded\nnext: headgate deploy without --dry-run")
        return
    click.echo(f"uploaded {outcome['sent'] / 1e6:,.1f} MB to {outcome['address']}")
    previous = outcome["previous"]
    if previous and previous != package.version:
        click.echo(f"before: package {previous} (headgate deploy --rollback goes back to it)")
    for name in outcome["expired"]:
        click.echo(f"removed {name}, which no kept package uses")
    show_after({"tables": outcome.get("catalog", ())})
    click.echo(f"next: headgate run --env {target.environment.name}")
