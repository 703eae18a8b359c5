"""The whole platform on one machine: `make platform` and `make platform-demo`. Also starts Airflow for tests.

Imports the standard library and httpx only; Airflow and the local cloud run in processes of their own.
"""
