"""The Spark session and what it runs on: jars, cluster workers, the lake's lock, S3A, staged frames."""
