"""Checks of a project before anything runs: contracts, suites, tables, queries, and what Athena reads. No pyspark."""
