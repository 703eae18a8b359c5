"""The Spark session and its environment: jars, cluster workers, the lake's lock, S3A, staged frames."""
