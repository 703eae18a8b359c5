"""`headgate`: finds the verb, and turns errors into one message and an exit code."""

import importlib
import json
import os
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path

import click

from headgate import __version__
from headgate.errors import HeadgateError, InternalError, UsageError, suggestion
from headgate.logs import set_up_logging

# Verb -> (section of the help, help line). The help lines are here so that `--help` imports no verb.
VERBS = {
    "plan": ("work", "Show which tables have work, without starting Spark."),
    "run": ("work", "Build the tables that have work."),
    "backfill": ("work", "Compute chosen uploads, or slices of a table, again."),
    "rollback": ("work", "Take a table back to an earlier version."),
    "maintain": ("work", "Compact tables, and remove files and logs that nothing needs any more."),
    "reconcile": ("work", "Check that nothing is missing and nothing is there twice."),
    "status": ("see", "Show the state of the project, and the next command."),
    "tables": ("see", "List the tables: their sources, how they are written, and their versions."),
    "show": ("see", "Print rows of a table, or of its quarantine."),
    "query": ("see", "Run SQL over gold: a query of conf/queries, or your own."),
    "history": ("see", "Print a table's commits: run, position, counts."),
    "lineage": ("see", "Show the sources and readers of a table, down to the uploads of a slice."),
    "docs": ("see", "Write a site with one page per table, or serve it."),
    "receipt": ("see", "Follow one upload: landed, bronze, each silver table."),
    "check": ("quality", "Check contracts, suites and environments; or a current table with its suite."),
    "quarantine": ("quality", "Show the records that tables rejected, and take them through again."),
    "upload": ("in", "Send files to the receiver, or land them directly."),
    "generate": ("in", "Make plausible uploads from the contracts: to files, a receiver or the lake."),
    "serve": ("serve", "Start a server: the receiver, the read API, a Spark cluster, or a local cloud."),
    "admin": ("serve", "Operate an environment: the dead letters of its landing queue."),
    "deploy": ("serve", "Build the package for EMR, upload it, and make it current."),
    "new": ("start", "Make a project, or propose a contract or a table from data."),
}


_INTERRUPTED = 130  # as a shell reports a process that SIGINT ended


class Verbs(click.Group):
    """A group that imports a verb's module when the verb is called."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keeps the whole command line as the context's object: a verb on EMR submits it as it is."""
        ctx.obj = tuple(args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        return importlib.import_module(f"headgate.cli.{name}").command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple:
        if args and args[0] not in VERBS:
            ctx.fail(f"no such command '{args[0]}'.{suggestion(args[0], VERBS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section in dict.fromkeys(section for section, _ in VERBS.values()):
            with formatter.section(section.capitalize()):
                formatter.write_dl([(verb, text) for verb, (group, text) in VERBS.items() if group == section])


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="headgate")
def headgate() -> None:
    """Uploads in, Delta tables out, nothing lost between.

    Exit codes: 0 done, 1 failed and a retry will not help, 2 wrong usage or configuration, 75 a retry may help.
    """


def main() -> None:
    """The console script.

    It ends at once when its work is done: while Python takes itself down, a thread of Arrow's that still holds a file
    of a lake on S3 would abort the process, after all went well.
    """
    try:
        run_command(sys.argv[1:])
    except SystemExit as ended:
        with suppress(BrokenPipeError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(ended.code if isinstance(ended.code, int) else int(ended.code is not None))


def run_command(arguments: list[str]) -> None:
    """Runs one command and exits. Every error ends as a message and an exit code; tracebacks go to a log file."""
    set_up_logging()
    try:
        sys.exit(_exit_code(arguments))
    except Exception as failed:
        error = failed if isinstance(failed, HeadgateError) else _failure_of_s3(failed) or _internal(failed)
        if "--json" in arguments:
            click.echo(json.dumps({"error": error.as_dict()}))
        else:
            click.echo(f"error[{error.code}]: {error}", err=True)
        sys.exit(error.exit_code)


def _exit_code(arguments: list[str]) -> int:
    """Runs one command; returns its exit code. Under --json a mistake in the command line is raised as a UsageError."""
    try:
        result = headgate.main(args=arguments, prog_name="headgate", standalone_mode=False)
    except click.ClickException as error:
        if "--json" not in arguments:
            error.show()
            return error.exit_code
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "headgate"
        raise UsageError(error.format_message(), where=path, fix=f"{path} --help") from error
    except click.Abort:
        click.echo("\ninterrupted: committed work stays; the same command continues from there", err=True)
        return _INTERRUPTED
    return result if isinstance(result, int) else 0


def _internal(error: Exception) -> InternalError:
    """A fault of Headgate, with its traceback in a file."""
    with tempfile.NamedTemporaryFile("w", prefix="headgate-", suffix=".log", delete=False) as file:
        traceback.print_exception(error, file=file)
    first = next(iter(str(error).splitlines()), "")
    return InternalError(
        f"{type(error).__name__}: {first}",
        fix=f"this is a fault of Headgate: report it with its traceback, in {Path(file.name)}",
    )


def _failure_of_s3(error: Exception) -> HeadgateError | None:
    from headgate.lake.s3 import failure  # not before: it imports obstore, and help should come at once

    return failure(error)


if __name__ == "__main__":
    main()
