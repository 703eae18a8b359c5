"""How gunicorn serves the read API; address, workers and threads are given on its command line."""

from typing import Any

from headgate.http.announcement import announce
from headgate.http.logs import logging_config
from headgate.http.metrics import worker_exited

worker_class = "gthread"
# DuckDB and the object store have threads of their own, which do not survive a fork.
preload_app = False
# Longer than a load balancer's idle time (60 s by default on AWS), or its clients get a 502.
keepalive = 75
control_socket_disable = True
graceful_timeout = 30
timeout = 60  # for a worker whose main loop hangs; queries have a limit of their own
limit_request_line = 8190
limit_request_field_size = 8190
limit_request_fields = 64
logger_class = "headgate.http.gunicorn_logger.WithoutAccessLog"
logconfig_dict = logging_config({"read_api": "INFO", "read_api.access": "INFO"})


def when_ready(server: Any) -> None:
    """Prints the address."""
    announce()


def child_exit(server: Any, worker: Any) -> None:
    """Removes the metrics of a worker that ended."""
    worker_exited(worker.pid)
