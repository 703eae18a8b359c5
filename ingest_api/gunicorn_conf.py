"""How gunicorn serves the receiver; address, workers and threads are given on its command line.

SIGTERM stops accepting, lets requests under way end within `graceful_timeout`, and closes.
"""

import socket
import struct
from typing import Any

from headgate.http.announcement import announce
from headgate.http.logs import logging_config
from headgate.http.metrics import worker_exited

worker_class = "gthread"
# The object store's client has threads of its own, which do not survive a fork: each worker makes its own.
preload_app = False
# Longer than a load balancer's idle time (60 s by default on AWS): else it sends a request into a
# connection that is just being closed, and its client gets a 502.
keepalive = 75
control_socket_disable = True  # one path for all of a user's gunicorns: two receivers would share it
graceful_timeout = 60
timeout = 60  # a worker whose main loop hangs; not a limit on requests
limit_request_field_size = 8190
limit_request_fields = 64
# Connections that a worker keeps open; beyond them the listener's backlog waits.
worker_connections = 2000
backlog = 2048
# Seconds without a byte, in headers or body, after which a connection is closed.
_IDLE_SECONDS = 30

logger_class = "headgate.http.gunicorn_logger.WithoutAccessLog"
logconfig_dict = logging_config({"ingest_api": "INFO", "ingest_api.access": "INFO", "ingest_api.emf": "INFO"})


def when_ready(server: Any) -> None:
    """Prints the address. Accepted connections take the listener's receive timeout over: gthread sets none."""
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _IDLE_SECONDS, 0))
    announce()


def pre_request(worker: Any, request: Any) -> None:
    """Lets the application close a connection whose body it will not read; gunicorn takes no header for that."""
    request.body.close_connection = request.force_close


def post_worker_init(worker: Any) -> None:
    """Tells the application how many requests wait for a thread of this worker."""
    application = worker.wsgi
    services = getattr(application, "extensions", {}).get("headgate")
    queue = getattr(getattr(worker, "tpool", None), "_work_queue", None)
    if services is not None and queue is not None:
        services.limits.queue_length = queue.qsize


def child_exit(server: Any, worker: Any) -> None:
    """Removes the gauges of a worker that ended."""
    worker_exited(worker.pid)
