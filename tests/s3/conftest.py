from __future__ import annotations

import pytest

from tests.s3.servers import Server


@pytest.fixture(scope="session", autouse=True)
def on_s3(s3_server: Server) -> None:
    """Everything here needs the server of `--lake`: without one it is skipped, before Spark starts."""
