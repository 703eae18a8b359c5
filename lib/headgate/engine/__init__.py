"""The work on Spark: session, bronze, reads, gate, writes, run. Never imports `headgate.aws` or the command line."""
