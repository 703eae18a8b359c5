"""File formats: splits the bytes of an upload into records. Knows neither Spark nor a contract's columns."""
