"""Scheduling: Airflow DAGs, the operator that runs Headgate's EMR jobs, and the Lambda for uploads on arrival.

Imports Airflow, boto3, `headgate.planning` and `headgate.aws`; never pyspark or `headgate.engine`.
"""
