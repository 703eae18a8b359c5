"""Contracts: what an uploaded dataset and a gold table look like, how they may change, and environments.

Imports neither pyspark nor boto3. Anything may import it."""
