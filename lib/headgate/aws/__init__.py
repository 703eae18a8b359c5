"""Calls to AWS. The only package of Headgate that imports boto3; `engine` and the planner never import it."""
