"""The receiver: takes uploads over HTTP and lands their exact bytes, each once, before it says so.

`land.py` is its core without HTTP (`upload --direct` uses it too); `routes.py` and `app.py` put
HTTP around it; `gunicorn_conf.py` serves it. It imports the top modules of headgate, never
pyspark and never headgate.cli; only headgate.cli imports it, lazily.
"""
