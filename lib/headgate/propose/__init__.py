"""Proposes contracts, tables and tests from data: `headgate new dataset` and `headgate new table`.

A proposal is a start that a person edits. Imports neither pyspark nor boto3; only the command line imports it.
"""
