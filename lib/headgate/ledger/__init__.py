"""The Delta log as the ledger: positions, commits, history, time travel. Reads it with `deltalake`, without a JVM."""
