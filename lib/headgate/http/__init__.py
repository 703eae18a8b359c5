"""HTTP code that the receiver and the read API share. Servers import it; it imports neither pyspark nor boto3.

`problems` (RFC 9457 problem details), `keys` (bearer keys, hashed at rest), `metrics` (Prometheus), `logs` (JSON
lines) and `openapi` (the API description) are plain Python. `responses`, `access` and `api_docs` connect them to Flask.
"""
