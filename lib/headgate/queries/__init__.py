"""SQL over gold: the queries of conf/queries, their checks, and DuckDB on this machine. Imports no boto3."""
