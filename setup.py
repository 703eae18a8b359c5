"""Headgate's packages. Pins, with reasons, are in requirements.txt; constraints.txt fixes what they pull in."""

from setuptools import find_packages, setup

FOLDERS = {
    "headgate": "lib/headgate",
    "ingest_api": "ingest_api",
    "read_api": "read_api",
    "orchestration": "orchestration",
}
CORE = [
    "click",
    "httpx",
    "obstore",
    "orjson",
    "PyYAML",
    "jsonschema",
    "jsonschema-rs",
    "open-data-contract-standard",
    "deltalake",
    "pyarrow",
    "rich",
    "rstr",
]

setup(
    name="headgate",
    version="0.1.0",
    description="A Spark batch framework for EMR: uploads in, Delta tables out, nothing lost between.",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    package_dir=FOLDERS,
    packages=[
        package for root in FOLDERS for package in (root, *(f"{root}.{name}" for name in find_packages(FOLDERS[root])))
    ],
    package_data={
        "headgate": [
            "engine/runtime/*.properties",
            "engine/jvm/*",
            "suites/*.json",
            "templates/**/*",
            "site/templates/*",
        ]
    },
    install_requires=CORE,
    extras_require={
        "docs": ["jinja2"],
        "spark": ["pyspark", "delta-spark", "great-expectations"],
        "receiver": ["flask", "gunicorn", "prometheus-client", "flask-openapi3-swagger"],
        "api": ["flask", "gunicorn", "prometheus-client", "flask-openapi3-swagger", "duckdb"],
        "query": ["duckdb", "sqlglot"],
        "testing": ["pytest", "chispa"],
        "aws": ["boto3", "packaging"],
        "cloud": ["boto3", "moto[server]"],
    },
    entry_points={
        "console_scripts": ["headgate = headgate.cli.main:main"],
        "pytest11": ["headgate = headgate.testing.plugin"],
    },
)
