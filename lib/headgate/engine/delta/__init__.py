"""Writing Delta tables: Parquet files, their statistics, and the one commit of a table's work."""
