"""GX's Data Docs: its own site of HTML pages, from a project's suites and the results of the last batches.

The results come from the commits' metadata, in GX's format of a validation. No data is
read, and nothing is sent. The imported parts of GX are pinned with its version and tested by
tests/engine/test_check.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from headgate.ledger.ledger import Commit, Ledger
from headgate.suites.quality import Result
from headgate.suites.suite import Suite
from headgate.suites.suite_document import normalised
from headgate.views.trend import BATCHES, judged


@dataclass(frozen=True)
class Site:
    """What was built: the page to open, how many suites it shows, and how many batches."""

    index: Path
    suites: int
    batches: int


def build_site(suites: Iterable[Suite], ledger: Ledger, folder: Path) -> Site:
    """Builds the site in `folder`. Pages of batches that an earlier build left there stay, and are listed again.

    A batch is shown where its table's suite judged it as the suite is now: another may have meant something else.
    """
    # Read by GX when it is imported; the context says it too.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.core import ExpectationSuite
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults
    from great_expectations.render.renderer.site_builder import SiteBuilder

    stores = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    config = DataContextConfig(analytics_enabled=False, data_docs_sites={}, store_backend_defaults=stores)
    context = gx.get_context(mode="ephemeral", project_config=config)
    shown = list(suites)
    batches = 0
    for suite in shown:
        content = json.loads(normalised(suite.path.read_text()))
        context.suites.add(ExpectationSuite(**content))
        for commit in _judged(ledger, suite):
            context.validation_results_store.set(*_validation(suite, content["expectations"], commit))
            batches += 1
    backend = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder.absolute())}
    SiteBuilder(context, store_backend=backend, show_how_to_buttons=False, site_name="headgate").build()
    return Site(folder / "index.html", len(shown), batches)


def _judged(ledger: Ledger, suite: Suite) -> Sequence[Commit]:
    """The newest commits whose batches the suite judged, as it is now."""
    as_now = (c for c in judged(ledger, suite.table) if c.metadata and c.metadata.suite == suite.hash)
    return list(islice(as_now, BATCHES))


def _validation(suite: Suite, written: Sequence[Mapping[str, Any]], commit: Commit) -> tuple[Any, Any]:
    """The results of a commit as GX keeps them: the key, and the value."""
    import great_expectations as gx
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    results = commit.metadata.quality if commit.metadata else ()
    ok = sum(result.success for result in results)
    run = RunIdentifier(run_name=commit.run, run_time=commit.time)
    places = {expectation.name: item for expectation, item in zip(suite.expectations, written, strict=True)}
    value = ExpectationSuiteValidationResult(
        success=ok == len(results),
        results=[_one(places[result.expectation], result) for result in results],
        suite_name=suite.table,
        meta={"run_id": run, "great_expectations_version": gx.__version__, "active_batch_definition": {}},
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": ok,
            "unsuccessful_expectations": len(results) - ok,
            "success_percent": 100 * ok / len(results),
        },
    )
    return ValidationResultIdentifier(ExpectationSuiteIdentifier(suite.table), run, f"version-{commit.version}"), value


def _one(written: Mapping[str, Any], result: Result) -> Any:
    """One expectation's result in GX's words."""
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    details: dict[str, Any] = {"observed_value": result.observed} if result.observed is not None else {}
    if result.judged is not None and result.unexpected is not None:
        share = 100 * result.unexpected / result.judged if result.judged else 0.0
        details |= {
            "element_count": result.judged,
            "unexpected_count": result.unexpected,
            "unexpected_percent": share,
            "partial_unexpected_list": list(result.examples),
        }
    return ExpectationValidationResult(
        success=result.success,
        expectation_config=ExpectationConfiguration(
            type=written["type"], kwargs=written["kwargs"], meta=written.get("meta"), severity=written["severity"]
        ),
        result=details,
        meta={},
        exception_info={"raised_exception": False, "exception_message": None, "exception_traceback": None},
    )
