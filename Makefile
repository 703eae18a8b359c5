# make help lists what there is. Set-up needs Python 3.11, Java 17 (or 21) and make; uv is used where it is there.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
REQUIREMENTS := requirements.txt requirements-dev.txt constraints.txt setup.py
READY := $(VENV)/.ready

.PHONY: help setup demo test test-long test-mutants test-cluster test-airflow platform platform-demo test-cloud test-infra record-calls environment test-s3 test-trino chaos jar lambda schedulers lint lock bench check-jar test-versions clean

help: ## Show this.
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# An archive belongs to one Java and its jars: after an upgrade of either, setup makes another.
setup: $(READY) ## Make .venv with everything that is pinned, fetch the jars, and archive Java's classes.
	@$(BIN)/python -m headgate.engine.runtime.class_archive

$(READY): $(REQUIREMENTS)
	@bin/make-venv $(VENV) "$(PYTHON)" requirements-dev.txt constraints.txt --with-headgate
	@$(BIN)/python -m headgate.engine.runtime.jars
	@$(BIN)/python -m headgate.engine.runtime.class_archive
	@touch $(READY)

demo: $(READY) ## The main job, end to end, in a folder: uploads over HTTP become rows in gold.
	@$(BIN)/python -m retail.demo

test: $(READY) ## All tests that need Python and Java only.
	@$(BIN)/python -m pytest $(if $(ARGS),$(ARGS),-n 2 --dist loadfile)

test-long: $(READY) ## Whole histories and the whole model on Spark: some minutes more. HEADGATE_HISTORIES=N tries more.
	@$(BIN)/python -m pytest $(if $(ARGS),$(ARGS),-m long -n 2 --dist loadfile)

# On each pair of Spark and Delta: commits, counts, replaced slices, and what Spark does with tables of deltalake.
VERSIONS_TESTS := tests/unit/test_versions.py tests/engine/test_table_write.py tests/engine/test_counts.py \
  tests/engine/test_slices.py
NOT_NEWEST := ^(pyspark|delta-spark|py4j|great-expectations)==|^-r

.venv-newest/.ready: $(REQUIREMENTS) requirements-newest.txt
	@mkdir -p .venv-newest
	@cat requirements.txt requirements-dev.txt | grep -vE '$(NOT_NEWEST)' > .venv-newest/requirements.txt
	@cat requirements-newest.txt >> .venv-newest/requirements.txt
	@grep -vE '$(NOT_NEWEST)' constraints.txt > .venv-newest/constraints.txt
	@bin/make-venv .venv-newest "$(PYTHON)" .venv-newest/requirements.txt .venv-newest/constraints.txt --with-headgate
	@HEADGATE_JARS= .venv-newest/bin/python -m headgate.engine.runtime.jars
	@touch $@

test-versions: $(READY) .venv-newest/.ready ## A part of the engine's tests on the pinned pair of Spark and Delta, and on the newest.
	@$(BIN)/python -m pytest -q $(if $(ARGS),$(ARGS),$(VERSIONS_TESTS))
	@HEADGATE_JARS= .venv-newest/bin/python -m pytest -q -p no:cacheprovider $(if $(ARGS),$(ARGS),$(VERSIONS_TESTS))

test-mutants: $(READY) ## Faults put into the code, which the tests must notice. A part: ARGS="landing".
	@PYTHONPATH=. $(BIN)/python -m tests.mutants $(ARGS)

test-cluster: $(READY) ## Spark on a cluster of processes, whose workers and drivers are killed: a few minutes.
	@$(BIN)/python -m pytest $(if $(ARGS),$(ARGS),-m cluster tests/cluster)

test-cloud: $(READY) ## Deploy and run on a local stand-in for AWS, which really starts spark-submit: some minutes.
	@$(BIN)/python -m headgate.engine.runtime.jars s3
	@$(BIN)/python -m pytest -m cloud $(if $(ARGS),$(ARGS),tests/cloud)

# What holds on a folder has to hold on S3: these run in make test, and the same on each server.
S3_TESTS := tests/s3 tests/engine/test_resume.py tests/engine/test_race.py tests/engine/test_order.py \
  tests/engine/test_slices.py tests/engine/test_gate.py tests/engine/test_maintain.py tests/engine/test_rollback.py \
  tests/engine/test_position.py

LAKES := versitygw moto

test-s3: $(READY) ## Spark, planner and receiver on S3 servers: versitygw, and moto with a lock. One: LAKES=moto.
	@bin/ensure-versitygw $(BIN)
	@$(BIN)/python -m headgate.engine.runtime.jars s3
	@for lake in $(LAKES); do \
	  $(BIN)/python -m pytest -rs --lake $$lake -m 'not long or s3' $(if $(ARGS),$(ARGS),$(S3_TESTS)) || exit 1; \
	done

# Trino needs Java 24 or newer: TRINO_JAVA_HOME, or one of /usr/lib/jvm. Spark keeps its own.
test-trino: $(READY) ## Gold by Trino, the engine of Athena 3, over S3 and Glue: the answers of DuckDB, Spark and the read API.
	@bin/ensure-versitygw $(BIN)
	@$(BIN)/python -m headgate.engine.runtime.jars s3
	@env $$($(BIN)/python bin/ensure_trino.py $(VENV)/share/headgate/trino) $(BIN)/python -m pytest -rs \
	  --lake $$(PATH="$(BIN):$$PATH:$$HOME/go/bin" command -v versitygw >/dev/null && echo versitygw || echo moto) \
	  $(if $(ARGS),$(ARGS),-m trino tests/trino)

chaos: $(READY) ## Uploads, runs and 200 kills at once, on versitygw and a cluster. Shorter: ARGS="--kills 10 --uploads 300".
	@bin/ensure-versitygw $(BIN)
	@$(BIN)/python -m headgate.engine.runtime.jars s3
	@$(BIN)/python -m tests.chaos.chaos $(ARGS)

jar: $(READY) ## Build Headgate's own jar from its Java sources, into the package.
	@PYTHONPATH=. $(BIN)/python -m bin.build_jar

check-jar: $(READY) ## Build the jar again, and compare it with the jar in the package, class by class.
	@PYTHONPATH=. $(BIN)/python -m bin.build_jar check

.venv-check/.ready: requirements-check.txt constraints.txt
	@bin/make-venv .venv-check "$(PYTHON)" requirements-check.txt constraints.txt
	@touch $@

.venv-airflow/.ready: requirements-airflow.txt constraints-airflow.txt
	@bin/make-venv .venv-airflow "$(PYTHON)" requirements-airflow.txt constraints-airflow.txt
	@touch $@

platform: $(READY) .venv-airflow/.ready ## The whole platform on this machine: cloud stand-in, Airflow, receiver, stores that upload. Ctrl-C ends it.
	@PYTHONPATH=. $(BIN)/python -m orchestration.local_platform $(ARGS)

platform-demo: $(READY) .venv-airflow/.ready ## One round of it: uploads over HTTP start a run in Airflow, whose EMR job builds gold on S3. Some minutes.
	@PYTHONPATH=. $(BIN)/python -m orchestration.local_platform --demo $(ARGS)

# Airflow has an environment of its own: it pins hundreds of packages, and none of them is Spark.
test-airflow: $(READY) .venv-airflow/.ready ## DAGs, operator and notifications in Airflow. On the local cloud too: ARGS="-m platform tests/airflow".
	@.venv-airflow/bin/python -m pytest $(if $(ARGS),$(ARGS),tests/airflow)

.venv-infra/.ready: requirements-infra.txt constraints-infra.txt
	@bin/make-venv .venv-infra "$(PYTHON)" requirements-infra.txt constraints-infra.txt
	@touch $@

# A provider folder, where the registry is out of reach: TF_CLI_ARGS_init=-plugin-dir=FOLDER.
test-infra: $(READY) .venv-infra/.ready ## Terraform (validate, test, checkov), images, workflows. The quick part: ARGS="-m infra tests/infra -k quick".
	@bin/ensure-actionlint .venv-infra/bin
	@$(BIN)/python -m pytest $(if $(ARGS),$(ARGS),-m 'infra or not infra' tests/infra)

record-calls: $(READY) ## Record the AWS calls of each component for the tests of IAM policies: 8 minutes. One: ARGS=receiver.
	@$(BIN)/python -m headgate.engine.runtime.jars s3
	@PYTHONPATH=lib:. $(BIN)/python -m tests.infra.record_calls $(ARGS)

environment: ## Write conf/environments/ENV.yaml from Terraform's outputs: make environment ENV=dev.
	@terraform -chdir=terraform/envs/$(ENV) output -raw environment_yaml > conf/environments/$(ENV).yaml.new
	@mv conf/environments/$(ENV).yaml.new conf/environments/$(ENV).yaml
	@echo "written: conf/environments/$(ENV).yaml"

lambda: $(READY) ## Build the package of the Lambda for uploads on arrival, build/on_arrival.zip.
	@PYTHONPATH=. $(BIN)/python -m bin.build_lambda

schedulers: $(READY) ## Upload the Lambda and Airflow's DAGs with the current manifest: make schedulers ENV=prod, after headgate deploy.
	@PYTHONPATH=. $(BIN)/python -m bin.publish_schedulers --env $(ENV)

lint: $(READY) .venv-check/.ready ## Lint, format and types.
	@.venv-check/bin/ruff check .
	@.venv-check/bin/ruff format --check .
	@.venv-check/bin/mypy --python-executable $(BIN)/python

bench: $(READY) ## Run one benchmark: make bench NAME=overhead [ARGS="--size 10MB"].
	@$(BIN)/python bench/$(NAME).py $(ARGS)

lock: ## Fix what the pins pull in (needs uv).
	uv pip compile -q --python-version 3.11 requirements-dev.txt requirements-check.txt -o constraints.txt --no-header --no-annotate
	@mkdir -p build  # the libraries that requirements-airflow.txt names without a version
	grep -hiE "^($$(grep -E '^[A-Za-z-]+$$' requirements-airflow.txt | paste -sd '|'))==" requirements.txt requirements-dev.txt > build/shared-pins.txt
	uv pip compile -q --python-version 3.11 requirements-airflow.txt -c build/shared-pins.txt -o constraints-airflow.txt --no-header --no-annotate
	uv pip compile -q --python-version 3.11 requirements-infra.txt -o constraints-infra.txt --no-header --no-annotate

clean: ## Remove environments, caches and the local lake.
	rm -rf $(VENV) .venv-check .venv-airflow .venv-infra .headgate lake
