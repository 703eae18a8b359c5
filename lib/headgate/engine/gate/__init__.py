"""The gate: decides before a commit whether a record or a batch may pass."""
