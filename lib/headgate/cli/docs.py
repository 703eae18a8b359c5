"""`headgate docs`: a static site with one page per table."""

from __future__ import annotations

import functools
import http.server
from pathlib import Path

import click

from headgate.cli.options import Target, print_json, target_options
from headgate.errors import UsageError
from headgate.site.content import site_content
from headgate.site.pages import write_site

_HOST = "127.0.0.1"


@click.command("docs")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write to.  [default: .headgate/docs of the project]",
)
@click.option("--serve", is_flag=True, help="Serve the site on this machine until Ctrl-C.")
@click.option("--port", default=8088, show_default=True, type=click.IntRange(0, 65535), help="With --serve.")
@target_options
def command(target: Target, out: Path | None, serve: bool, port: int) -> None:
    """Write a site about the tables: grain, columns, contract, suite, lineage, last runs and quarantine.

    Reads contracts, suites, logs and run reports, without Spark. The pages open from disk and load nothing from the
    network.
    """
    if serve and target.as_json:
        raise UsageError("--serve and --json exclude each other", where="docs", fix="write with --json, then serve")
    folder = out or target.project.cache / "docs"
    files = write_site(site_content(target.project, target.environment), folder)
    index = folder / "index.html"
    if target.as_json:
        print_json({"index": index, "files": [str(file) for file in files]})
        return
    click.echo(f"{len(files)} files; open {index}")
    if serve:
        _serve(folder, port)


def _serve(folder: Path, port: int) -> None:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    try:
        server = http.server.ThreadingHTTPServer((_HOST, port), handler)
    except OSError as error:
        raise UsageError(f"port {port} cannot be used: {error.strerror}", where="--port", fix="name another") from error
    click.echo(f"http://{_HOST}:{server.server_port}/  Ctrl-C ends it", err=True)
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
