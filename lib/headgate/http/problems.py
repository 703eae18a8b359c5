"""Problem details for HTTP APIs (RFC 9457): the response of a server that refuses a request.

This module does not import Flask: `headgate upload --direct` refuses by the same rules without a web server.
"""

from http import HTTPStatus
from typing import Any

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:headgate:problem:"


class Problem(Exception):
    """A refused request.

    `status` is the HTTP status, `code` a stable identifier, `detail` a sentence for people, `headers` are added to the
    response, and `members` are extra members of the problem document.
    """

    def __init__(
        self, status: int, code: str, detail: str, headers: dict[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.members = headers or {}, members

    def as_dict(self) -> dict[str, Any]:
        """Returns the members of the problem document."""
        return {
            "type": f"{TYPE_PREFIX}{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }
