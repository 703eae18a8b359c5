"""Planning: the graph of tables, what has work, what is out of date, and what retention must keep. No JVM."""
