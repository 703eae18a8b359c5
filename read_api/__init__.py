"""The read API: programs read gold tables over HTTP, without Spark.

`catalog` decides the access of a client. `parameters` turns a request into a typed `RowQuery`, `sql` turns that into
SQL with bound values, `engine` runs it with DuckDB over the data files that `snapshots` selects, and `formats`
encodes the result. `routes` and `app` put HTTP around it. The package imports neither pyspark nor headgate.cli.
"""
