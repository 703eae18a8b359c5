from __future__ import annotations

import pytest

from tests.s3.servers import Server


@pytest.fixture(scope="session", autouse=True)
def on_s3(s3_server: Server) -> None:
    """These tests need a server by `--lake`; otherwise they are skipped, before Spark starts."""
