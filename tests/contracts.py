"""The contracts of small datasets, for projects that a test writes."""

from __future__ import annotations

_CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: {name}
version: 1.0.0
team: {{name: Tests}}
schema:
  - name: {name}
    properties:
{properties}
customProperties:
  - {{property: headgate.format, value: jsonl}}
"""


def json_lines(name: str, *properties: str) -> str:
    """The contract of a dataset of JSON lines; each property is the text between its braces in YAML."""
    return _CONTRACT.format(name=name, properties="\n".join(f"      - {{{item}}}" for item in properties))
