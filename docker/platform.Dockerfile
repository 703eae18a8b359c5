# syntax=docker/dockerfile:1
# The local cloud: the AWS APIs that Headgate uses, with job runs that really start spark-submit. For development only: it runs
# whatever it is sent, so it listens on loopback alone. Build from the repository's root.
ARG PYTHON_IMAGE=python:3.11.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY setup.py pyproject.toml requirements.txt constraints.txt ./
RUN python -m venv /opt/venv \
    && /opt/venv/bin/python -m pip install -r requirements.txt -c constraints.txt
COPY lib lib
COPY ingest_api ingest_api
COPY read_api read_api
COPY orchestration orchestration
RUN /opt/venv/bin/python -m pip install -c constraints.txt '.[spark,receiver,cloud]'

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="headgate-platform" org.opencontainers.image.licenses="Apache-2.0"
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends openjdk-17-jre-headless procps \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 headgate \
    && useradd --uid 10001 --gid 10001 --create-home --shell /usr/sbin/nologin headgate \
    && install --directory --owner 10001 --group 10001 /srv/cloud /opt/jars
COPY --from=build /opt/venv /opt/venv
WORKDIR /srv/headgate
COPY conf conf
COPY jobs jobs
COPY samples samples
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HEADGATE_JARS=/opt/jars
USER 10001:10001
# The jars are part of the image, so that a job needs no network.
RUN python -m headgate.engine.runtime.jars && python -m headgate.engine.runtime.jars s3
VOLUME ["/srv/cloud"]
EXPOSE 5555
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:5555/_cloud/health', timeout=4)"]
CMD ["python", "-m", "orchestration.local_cloud", "--host", "127.0.0.1", "--port", "5555", \
     "--folder", "/srv/cloud", "--keep", "--bucket", "headgate", "--landing", "headgate/landing"]
