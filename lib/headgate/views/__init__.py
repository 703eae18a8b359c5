"""Read-only reports over a lake: status, rows, quarantine, quality results, lineage and traces. No JVM."""
