"""Generated requests by the receiver's own description find no server error, and land nothing outside of its place."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error

from headgate.http.problems import MEDIA_TYPE
from tests.receiver.test_hostile import assert_in_place

EXAMPLES = 25


@schemathesis.serializer("application/partial-upload", "application/x-ndjson", "text/csv")
def raw(context, value):
    """Sends a generated body as it is."""
    return {"data": value.encode() if isinstance(value, str) else value}


# 501 is the described answer where the lake is a folder.
DESCRIBED = (501,)


@pytest.mark.parametrize("key", ["key-1", "wrong"])
def test_generated_requests_find_no_server_error(app, lake, key):
    schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", app)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) == 11

    for operation in operations:

        @given(case=operation.as_strategy())
        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        def check(case):
            response = case.call(headers={"Authorization": f"Bearer {key}"})
            if response.status_code not in DESCRIBED:
                case.validate_response(response, checks=[not_a_server_error])
            if response.status_code >= 400 and case.method != "HEAD":
                assert response.headers["content-type"][0] == MEDIA_TYPE

        check()
    assert_in_place(lake)
