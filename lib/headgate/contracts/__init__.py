"""Contracts: the schemas of uploaded datasets and gold tables, their permitted changes, and environments.

Imports neither pyspark nor boto3. Anything may import it."""
