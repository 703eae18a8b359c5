"""Planning: the graph of tables, the work of a run, stale tables, and the versions to retain. No JVM."""
