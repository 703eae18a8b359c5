# An EMR Serverless image with the virtual environment of a Headgate package, instead of spark.archives.
# Build it where `headgate deploy --dry-run --env ENV` has made .headgate/deploy/environment-*.tar.gz:
#   docker build -f docker/emr-serverless.Dockerfile --build-arg ARCHIVE=.headgate/deploy/environment-<hash>.tar.gz .
# Then set in the environment: spark.emr-serverless.driverEnv.PYSPARK_PYTHON=/opt/environment/bin/python, and the same
# for PYSPARK_DRIVER_PYTHON and spark.executorEnv.PYSPARK_PYTHON. Not built or started here: there was no engine.
ARG RELEASE=emr-8.1.0
FROM public.ecr.aws/emr-serverless/spark/${RELEASE}:latest
ARG ARCHIVE
USER root
ADD ${ARCHIVE} /opt/environment/
USER hadoop:hadoop
