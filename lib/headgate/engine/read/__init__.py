"""Everything a table's function receives: bronze records, changes, affected slices, snapshots."""
