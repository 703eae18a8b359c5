# syntax=docker/dockerfile:1
# An EMR Serverless image with the virtual environment of a Headgate package, instead of spark.archives.
# Build it where `headgate deploy --dry-run --env ENV` has made .headgate/deploy/environment-*.tar.gz:
#   docker build -f docker/emr-serverless.Dockerfile --build-arg ARCHIVE=.headgate/deploy/environment-<hash>.tar.gz .
# Then set in the environment: spark.emr-serverless.driverEnv.PYSPARK_PYTHON=/opt/environment/bin/python, and the same
# for PYSPARK_DRIVER_PYTHON and spark.executorEnv.PYSPARK_PYTHON. Not built or started here: there was no engine.
# EMR_IMAGE is the image of the application's release: EMR publishes it under the release's name, with the tag latest.
ARG EMR_IMAGE=public.ecr.aws/emr-serverless/spark/emr-8.1.0:latest

FROM ${EMR_IMAGE}
ARG ARCHIVE
# hadolint ignore=DL3066
USER root
# ADD, because it unpacks the archive; COPY does not.
# hadolint ignore=DL3020
ADD ${ARCHIVE} /opt/environment/
# EMR Serverless requires this user.
# hadolint ignore=DL3066
USER hadoop:hadoop
