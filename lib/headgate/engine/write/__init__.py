"""The four writes: append, merge, replace, history."""
