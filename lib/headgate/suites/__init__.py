"""Expectation suites: their documents in Great Expectations' JSON, and the results of an expectation.

Imports neither pyspark nor great_expectations; `engine.gate` evaluates suites."""
