"""The work on Spark: session, bronze, reads, gate, writes, run. Imports pyspark; never `headgate.aws` or the command line."""
