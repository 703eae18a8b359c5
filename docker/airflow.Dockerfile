# syntax=docker/dockerfile:1
# Airflow with Headgate's DAGs, for the local platform. On AWS MWAA runs the same DAGs. Build from the repository's root.
ARG PYTHON_IMAGE=python:3.11.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY setup.py pyproject.toml requirements-airflow.txt constraints-airflow.txt ./
RUN python -m venv /opt/venv \
    && /opt/venv/bin/python -m pip install -r requirements-airflow.txt -c constraints-airflow.txt
COPY lib lib
COPY ingest_api ingest_api
COPY read_api read_api
COPY orchestration orchestration
RUN /opt/venv/bin/python -m pip install --no-deps .

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="headgate-airflow" org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 headgate \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin headgate \
    && install --directory --owner 10001 --group 10001 /srv/airflow
COPY --from=build /opt/venv /opt/venv
COPY orchestration/dags /srv/airflow/dags
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    AIRFLOW_HOME=/srv/airflow/home AIRFLOW__CORE__DAGS_FOLDER=/srv/airflow/dags \
    AIRFLOW__CORE__LOAD_EXAMPLES=False AIRFLOW__API__PORT=8088
WORKDIR /srv/airflow
VOLUME ["/srv/airflow/home"]
USER 10001:10001
EXPOSE 8088
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=5 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8088/api/v2/monitor/health', timeout=4)"]
CMD ["airflow", "standalone"]
