"""What each server gets from the shared HTTP code: problems, request ids, access lines, metrics, API description."""

import json
import logging

import pytest
from flask import Flask

from headgate.http import access, api_docs, openapi
from headgate.http.logs import REQUEST_ID, JsonFormatter, logging_config
from headgate.http.metrics import HTTP_METRICS, Metric, Metrics
from headgate.http.problems import Problem
from headgate.http.responses import install_error_handlers


@pytest.fixture
def metrics() -> Metrics:
    return Metrics([*HTTP_METRICS, Metric("demo_bytes_total", "counter", "Bytes.")])


@pytest.fixture
def app(metrics):
    app = Flask("demo")
    access.install(app, "demo", metrics)
    install_error_handlers(app)
    paths = {"/ok": {"get": {"responses": {"200": openapi.json_response("fine", {"type": "object"})}}}}
    api_docs.install(app, lambda: openapi.document("Demo", "A demo.", paths))

    @app.get("/ok")
    def ok():
        access.note(rows=3)
        return {"request": REQUEST_ID.get()}

    @app.get("/refused")
    def refused():
        raise Problem(410, "gone", "it is gone", {"Retry-After": "5"}, version=3)

    @app.get("/broken")
    def broken():
        raise RuntimeError("secret detail")

    return app


def test_a_problem_is_answered_with_its_document_and_headers(app):
    answer = app.test_client().get("/refused")
    assert (answer.status_code, answer.content_type) == (410, "application/problem+json")
    assert answer.headers["Retry-After"] == "5"
    assert json.loads(answer.data) == {
        "type": "urn:headgate:problem:gone", "title": "Gone", "status": 410, "detail": "it is gone", "version": 3,
    }  # fmt: skip


def test_an_unexpected_error_is_logged_and_shows_nothing(app, caplog):
    answer = app.test_client().get("/broken")
    assert (answer.status_code, answer.json["type"]) == (500, "urn:headgate:problem:internal")
    assert "secret detail" not in answer.text and "secret detail" in caplog.text


def test_unknown_paths_and_methods_are_problems(app):
    assert app.test_client().get("/nothing").content_type == "application/problem+json"
    answer = app.test_client().post("/ok")
    assert (answer.status_code, "GET" in answer.headers["Allow"]) == (405, True)


def test_each_request_has_an_id_in_the_response_and_the_log(app, caplog):
    caplog.set_level(logging.INFO, "demo.access")
    client = app.test_client()
    assert client.get("/ok", headers={"X-Request-Id": "abc-1"}).headers["X-Request-Id"] == "abc-1"
    assert client.get("/ok").json["request"] != ""
    unsafe = client.get("/ok", headers={"X-Request-Id": 'x"} forged'}).headers["X-Request-Id"]
    assert len(unsafe) == 32
    assert caplog.records[0].fields["rows"] == 3 and caplog.records[0].fields["status"] == 200


def test_log_lines_are_json_with_the_request_id():
    record = logging.LogRecord("demo", logging.INFO, "", 0, "read %s", ("rows",), None)
    record.fields = {"rows": 3}
    token = REQUEST_ID.set("abc")
    line = json.loads(JsonFormatter().format(record))
    REQUEST_ID.reset(token)
    assert (line["request"], line["message"], line["rows"], line["level"]) == ("abc", "read rows", 3, "INFO")


def test_access_lines_go_to_standard_output():
    loggers = logging_config({"demo": "INFO", "demo.access": "INFO"})["loggers"]
    assert (loggers["demo"]["handlers"], loggers["demo.access"]["handlers"]) == (["error"], ["access"])


def test_metrics_count_requests_by_route_and_status(app, metrics):
    client = app.test_client()
    client.get("/ok")
    client.get("/refused")
    metrics.add("demo_bytes_total", 10)
    text = metrics.render()[0].decode()
    assert 'headgate_http_requests_total{method="GET",route="ok",server="demo",status="200"} 1.0' in text
    assert 'route="refused",server="demo",status="410"} 1.0' in text
    assert 'headgate_http_requests_in_progress{server="demo"} 0.0' in text
    assert "demo_bytes_total 10.0" in text


def test_a_metric_that_is_not_declared_is_an_error(metrics):
    with pytest.raises(KeyError):
        metrics.add("headgate_other_total")


def test_the_api_description_and_its_page_are_served(app):
    client = app.test_client()
    assert client.get("/v1/openapi.json").json["openapi"] == "3.1.0"
    page = client.get("/v1/docs")
    assert page.status_code == 200 and "script-src 'self'" in page.headers["Content-Security-Policy"]
    for name in ("docs/start.js", "docs/assets/js/swagger-ui-bundle.js", "docs/assets/css/swagger-ui.css"):
        assert name in page.text
        answer = client.get(f"/v1/{name}")
        assert answer.status_code == 200
        answer.close()
    assert client.get("/v1/docs/assets/../../../../setup.py").status_code == 404
