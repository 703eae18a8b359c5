"""Gold for analysts on AWS: its tables in the Glue catalog, and queries on Athena."""
