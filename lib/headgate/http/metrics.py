"""Prometheus metrics, declared as a table of `Metric` and never created anywhere else.

Under gunicorn each worker is a process. `headgate serve` sets PROMETHEUS_MULTIPROC_DIR to a new folder, and each worker
then answers /metrics with the sum over all workers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True)
class Metric:
    """A metric: `kind` is counter, gauge or histogram; `buckets` are a histogram's upper bounds."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = SECONDS


#: Metrics of every server; `access.install` records them.
HTTP_METRICS = (
    Metric("headgate_http_requests_total", "counter", "Requests answered.", ("server", "method", "route", "status")),
    Metric("headgate_http_request_seconds", "histogram", "Seconds until the response.", ("server", "route")),
    Metric("headgate_http_requests_in_progress", "gauge", "Requests under way.", ("server",)),
)


class Metrics:
    """The metrics of a process. A name that is not in the table is a KeyError."""

    def __init__(self, table: Iterable[Metric]) -> None:
        self._registry = CollectorRegistry()
        self._metrics: dict[str, Any] = {metric.name: self._create(metric) for metric in table}

    def _create(self, metric: Metric) -> Any:
        if metric.kind == "counter":
            return Counter(metric.name, metric.help, metric.labels, registry=self._registry)
        if metric.kind == "histogram":
            return Histogram(metric.name, metric.help, metric.labels, registry=self._registry, buckets=metric.buckets)
        return Gauge(metric.name, metric.help, metric.labels, registry=self._registry, multiprocess_mode="livesum")

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Adds `amount` to a counter, or to a gauge (where it may be negative)."""
        self._child(name, labels).inc(amount)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Sets a gauge."""
        self._child(name, labels).set(value)

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Records a value in a histogram."""
        self._child(name, labels).observe(value)

    def _child(self, name: str, labels: dict[str, str]) -> Any:
        metric = self._metrics[name]
        return metric.labels(**labels) if labels else metric

    def render(self) -> tuple[bytes, str]:
        """Returns all metrics in Prometheus' text format, and its media type."""
        registry = self._registry
        if os.environ.get(MULTIPROCESS_VARIABLE):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
        return generate_latest(registry), CONTENT_TYPE_LATEST


def worker_exited(pid: int) -> None:
    """Removes the gauges of a worker that ended; gunicorn's `child_exit` hook calls it."""
    if os.environ.get(MULTIPROCESS_VARIABLE):
        mark_process_dead(pid)
