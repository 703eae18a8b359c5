"""The receiver's metrics, each declared here and nowhere else. CloudWatch gets them as EMF lines in the log."""

import json
import logging
import os
import time

from headgate.http.metrics import HTTP_METRICS, Metric, Metrics

_BYTES = (1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9)

METRICS = (
    *HTTP_METRICS,
    Metric(
        "headgate_uploads_total",
        "counter",
        "Uploads by result: created, replayed, or refused with the problem's code.",
        ("dataset", "result"),
    ),
    Metric("headgate_upload_bytes", "histogram", "Bytes of an acknowledged upload.", ("dataset",), _BYTES),
    Metric("headgate_landing_seconds", "histogram", "Seconds from the end of the headers until durable.", ("dataset",)),
    Metric("headgate_resumed_requests_total", "counter", "Requests that went on with an upload that was cut."),
)

_emf = logging.getLogger("ingest_api.emf")


class UploadMetrics:
    """Records metrics of an upload, for Prometheus and, with HEADGATE_EMF=1, for CloudWatch."""

    def __init__(self, metrics: Metrics, store_emf: bool | None = None) -> None:
        self.metrics = metrics
        self._emf = os.environ.get("HEADGATE_EMF") == "1" if store_emf is None else store_emf

    def landed(self, dataset: str, replayed: bool, size: int, seconds: float) -> None:
        result = "replayed" if replayed else "created"
        self.metrics.add("headgate_uploads_total", dataset=dataset, result=result)
        self.metrics.observe("headgate_upload_bytes", size, dataset=dataset)
        self.metrics.observe("headgate_landing_seconds", seconds, dataset=dataset)
        if self._emf:
            _emf.info(emf_line(dataset, result, Uploads=1, Bytes=size, Milliseconds=round(seconds * 1000, 1)))

    def refused(self, dataset: str, code: str) -> None:
        self.metrics.add("headgate_uploads_total", dataset=dataset, result=code)
        if self._emf:
            _emf.info(emf_line(dataset, code, Refused=1))


def emf_line(dataset: str, result: str, **values: float) -> str:
    """One line of the CloudWatch embedded metric format: a log line that CloudWatch turns into metrics."""
    units = {"Uploads": "Count", "Refused": "Count", "Bytes": "Bytes", "Milliseconds": "Milliseconds"}
    listed = [{"Name": name, "Unit": units[name]} for name in values]
    declared = {"Namespace": "Headgate/Receiver", "Dimensions": [["Dataset", "Result"]], "Metrics": listed}
    document = {"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [declared]}}
    return json.dumps({**document, "Dataset": dataset, "Result": result, **values})
