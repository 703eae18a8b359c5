# syntax=docker/dockerfile:1
# A custom EMR Serverless image: an alternative to the archive of `headgate deploy`. Build from the repository's root.
# EMR_IMAGE must be the image of the application's release and architecture; EMR checks it with `amazon-emr-serverless-image-cli`.
ARG EMR_IMAGE=public.ecr.aws/emr-serverless/spark/emr-7.10.0:latest

FROM ${EMR_IMAGE}
LABEL org.opencontainers.image.title="headgate-engine" org.opencontainers.image.licenses="Apache-2.0"
# hadolint ignore=DL3066
USER root
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /opt/headgate
COPY setup.py pyproject.toml requirements.txt constraints.txt ./
# The release brings Spark and Delta: installing others from PyPI would shadow them.
RUN grep --invert-match --extended-regexp '^(pyspark|delta-spark)==' requirements.txt > requirements-emr.txt \
    && python3.11 -m venv --system-site-packages /opt/venv \
    && /opt/venv/bin/python -m pip install -r requirements-emr.txt -c constraints.txt
COPY lib lib
COPY ingest_api ingest_api
COPY orchestration orchestration
RUN /opt/venv/bin/python -m pip install --no-deps .
COPY conf conf
COPY jobs jobs
ENV PYSPARK_PYTHON=/opt/venv/bin/python PYSPARK_DRIVER_PYTHON=/opt/venv/bin/python
# EMR Serverless requires this user.
# hadolint ignore=DL3066
USER hadoop:hadoop
