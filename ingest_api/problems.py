"""What the receiver answers when it refuses: problem details by RFC 9457.

No Flask here: `upload --direct` refuses by the same rules, and needs no web server installed.
"""

from http import HTTPStatus
from typing import Any

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A refusal: HTTP status, a stable code, a sentence for people, headers, and members of its own."""

    def __init__(
        self, status: int, code: str, detail: str, headers: dict[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.members = headers or {}, members

    def as_dict(self) -> dict[str, Any]:
        """The members of the problem document."""
        return {
            "type": f"urn:headgate:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }
