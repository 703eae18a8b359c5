"""The metrics of the read API, each declared here once."""

from headgate.http.metrics import HTTP_METRICS, Metric

METRICS = (
    *HTTP_METRICS,
    Metric("headgate_read_rows_total", "counter", "Rows sent to clients.", ("table", "format")),
    Metric("headgate_read_bytes_total", "counter", "Bytes of rows sent to clients.", ("table", "format")),
    Metric("headgate_read_not_modified_total", "counter", "Requests answered with 304.", ("table",)),
)
