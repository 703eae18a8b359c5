# syntax=docker/dockerfile:1
# The receiver. Build from the repository's root: docker build -f docker/receiver.Dockerfile .
ARG PYTHON_IMAGE=python:3.11.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY setup.py pyproject.toml constraints.txt ./
COPY lib lib
COPY ingest_api ingest_api
COPY read_api read_api
COPY orchestration orchestration
RUN python -m venv /opt/venv \
    && /opt/venv/bin/python -m pip install -c constraints.txt '.[receiver,aws]'

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="headgate-receiver" org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 headgate \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin headgate
COPY --from=build /opt/venv /opt/venv
WORKDIR /srv/headgate
COPY conf conf
COPY jobs jobs
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HEADGATE_ENV=local
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/readyz', timeout=4)"]
CMD ["headgate", "serve", "receiver", "--project", "/srv/headgate", "--host", "0.0.0.0", "--port", "8080"]
