"""What bench/ingest.py needs: the S3 stub, the servers under load, wrk, and the plot."""
