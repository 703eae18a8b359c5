"""The lake as an object store: landed uploads, the S3 API, a probe of conditional writes, and SQL without a JVM."""
