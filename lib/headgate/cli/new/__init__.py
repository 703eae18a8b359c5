"""`headgate new`: makes a project, a contract or a table that a person then edits."""

import click

from headgate.cli.new.dataset import dataset
from headgate.cli.new.project import project
from headgate.cli.new.table import table


@click.group()
def command() -> None:
    """Make a new project, or a contract or a table in a project."""


command.add_command(project)
command.add_command(dataset)
command.add_command(table)
