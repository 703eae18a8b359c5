"""Generated requests by the API's own description find no server error and no answer that it does not describe."""

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error

from headgate.http.problems import MEDIA_TYPE
from tests.read_api.tables import FIELDS, SALES, Client

EXAMPLES = 25
OPERATIONS = ("rows", "changes", "aggregates")
NAMES = [field.name for field in FIELDS[SALES]]
#: Texts that are likely to reach code behind the first check.
VALUES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["0", "-1", "1", "1e400", "NaN", "true", "null", "''", '"', "s1,s2", "2026-01-01", "9" * 40, "'--"]
    ),
    st.sampled_from(NAMES),
)
KEYS = st.one_of(
    st.builds("{}.{}".format, st.sampled_from(NAMES), st.sampled_from(["eq", "ne", "gt", "le", "in", "is_null", "x"])),
    st.sampled_from(["columns", "order", "limit", "cursor", "version", "as_of", "since", "group_by", "aggregate"]),
    st.text(max_size=10),
)


@pytest.mark.parametrize("key", ["analyst", "store-1"])
def test_generated_requests_find_no_server_error(app: Flask, key: str):
    schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", app)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) == 5

    for operation in operations:

        @given(case=operation.as_strategy())
        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        def check(case: schemathesis.Case) -> None:
            if "table" in (case.path_parameters or {}):
                case.path_parameters["table"] = SALES
            response = case.call(headers={"Authorization": f"Bearer {key}"})
            case.validate_response(response, checks=[not_a_server_error])
            if response.status_code >= 400:
                assert response.headers["content-type"][0] == MEDIA_TYPE

        check()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_likely_parameters_find_no_server_error(app: Flask, operation: str):
    client = Client(app, "store-1")

    @given(parameters=st.dictionaries(KEYS, VALUES, max_size=4), accept=st.sampled_from(["*/*", "text/csv", "x/y", ""]))
    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def check(parameters: dict[str, str], accept: str) -> None:
        answer = client.get(f"/v1/tables/{SALES}/{operation}", headers={"Accept": accept}, **parameters)
        assert answer.status_code < 500, (parameters, answer.text)
        if answer.status_code >= 400:
            assert answer.content_type == MEDIA_TYPE
        assert "sale-000001" not in answer.text  # a row of another store

    check()
