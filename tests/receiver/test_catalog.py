"""What a sender can learn: datasets, its own uploads, the description of the API, metrics."""

import json

import pytest
from flask import Flask

from headgate.contracts.contract import load_contracts
from ingest_api.app import create_app
from ingest_api.catalog import example
from ingest_api.metrics import emf_line
from tests.receiver.conftest import Sender


def test_the_datasets_name_what_they_take(sender):
    shown = {each["dataset"]: each for each in sender.get("/v1/datasets").get_json()["datasets"]}
    assert shown["stores"]["media_types"] == ["text/csv"]
    assert shown["stores"]["encodings"] == ["gzip"]
    assert shown["plain"]["limits"]["bytes"] == 100_000
    assert sender.get("/v1/datasets/nope").status_code == 404


@pytest.fixture
def retail(repository, environment) -> Flask:
    return create_app(environment, load_contracts(repository))


def test_each_dataset_of_the_project_has_an_example_of_its_format(repository, retail):
    sender = Sender(retail.test_client())
    for name, contract in load_contracts(repository).items():
        shown = sender.get(f"/v1/datasets/{name}").get_json()
        assert shown["example"] == example(contract)
        assert [field["name"] for field in shown["fields"]] == [field.name for field in contract.fields]


def test_a_page_follows_the_next(sender):
    ids = [sender.post(key=f"k-{number}").get_json()["upload"] for number in range(5)]
    sender.post(key="other", Authorization="Bearer key-2")
    day = "2026-11-21"
    first = sender.get(f"/v1/uploads?date={day}&limit=2").get_json()
    second = sender.get(f"/v1/uploads?date={day}&limit=2&cursor={first['next']}").get_json()
    third = sender.get(f"/v1/uploads?date={day}&limit=2&cursor={second['next']}").get_json()
    pages = [upload["upload"] for page in (first, second, third) for upload in page["uploads"]]
    assert pages == sorted(ids) and third["next"] is None


def test_only_its_own_uploads_are_shown_to_a_store(sender):
    sender.post()
    assert sender.get("/v1/uploads?date=2026-11-21", "key-2").get_json()["uploads"] == []
    assert sender.get("/v1/uploads?store=store-1", "key-2").status_code == 403


def test_uploads_are_chosen_by_state_and_dataset(sender):
    sender.post()
    sender.post(dataset="plain")
    shown = sender.get("/v1/uploads?date=2026-11-21&state=landed&dataset=plain").get_json()["uploads"]
    assert [(upload["dataset"], upload["state"]) for upload in shown] == [("plain", "landed")]
    assert sender.get("/v1/uploads?date=2026-11-21&state=done").get_json()["uploads"] == []


@pytest.mark.parametrize("query", ["date=x", "date=2026-02-30", "limit=0", "limit=x", "state=x", "cursor=%%", "a=b"])
def test_a_wrong_parameter_is_refused(sender, query):
    answer = sender.get(f"/v1/uploads?{query}")
    assert (answer.status_code, answer.get_json()["type"]) == (400, "urn:headgate:problem:parameter")


def test_the_description_names_each_route(app, sender):
    document = sender.client.get("/v1/openapi.json").get_json()
    assert document["openapi"] == "3.1.0"
    described = {
        (path.replace("{", "<").replace("}", ">"), method.upper())
        for path, item in document["paths"].items()
        for method in item
    }
    left_out = ("/v1/openapi.json", "/v1/docs", "/metrics")
    served = {
        (rule.rule, method)
        for rule in app.url_map.iter_rules()
        if not rule.rule.startswith(left_out)
        for method in rule.methods - {"OPTIONS"} - ({"HEAD"} if "GET" in rule.methods else set())
    }
    assert described == served


def test_metrics_count_uploads_and_refusals(sender):
    sender.post()
    sender.post()
    sender.post(b"other")
    text = sender.client.get("/metrics").text
    assert 'headgate_uploads_total{dataset="transactions",result="created"} 1.0' in text
    assert 'headgate_uploads_total{dataset="transactions",result="replayed"} 1.0' in text
    assert 'headgate_uploads_total{dataset="transactions",result="key-reused"} 1.0' in text
    assert 'headgate_http_requests_total{method="POST"' in text


def test_an_emf_line_is_what_cloudwatch_reads():
    line = json.loads(emf_line("sales", "created", Uploads=1, Bytes=3))
    (declared,) = line["_aws"]["CloudWatchMetrics"]
    assert declared["Dimensions"] == [["Dataset", "Result"]]
    assert {metric["Name"]: line[metric["Name"]] for metric in declared["Metrics"]} == {"Uploads": 1, "Bytes": 3}
