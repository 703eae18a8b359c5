"""Log records carry the run and the table; a log file keeps tracebacks."""

from __future__ import annotations

import json
import logging

import pytest

from headgate.logs import ROOT, log_context, log_file, set_up_logging

log = logging.getLogger("headgate.tests")


@pytest.fixture(autouse=True)
def _restore_root():
    handlers, level = list(ROOT.handlers), ROOT.level
    yield
    ROOT.handlers, ROOT.level = handlers, level


def test_a_record_is_one_json_line_with_run_and_table(capsys) -> None:
    set_up_logging(logging.INFO, {"HEADGATE_LOG": "json"})
    with log_context(run="r-1"), log_context(table="silver.sales"):
        log.info("committed version %d", 3)
    line = json.loads(capsys.readouterr().err)
    assert (line["run"], line["table"], line["message"]) == ("r-1", "silver.sales", "committed version 3")
    assert (line["level"], line["logger"]) == ("INFO", "headgate.tests")


def test_without_verbose_only_warnings_reach_the_terminal(capsys) -> None:
    set_up_logging(environ={})
    log.info("started")
    log.warning("the report was not kept")
    assert "started" not in (text := capsys.readouterr().err)
    assert "WARNING headgate.tests the report was not kept" in text


def test_a_log_file_keeps_the_context_and_the_traceback(tmp_path) -> None:
    with log_file(tmp_path / "r-1.log") as path, log_context(table="silver.sales"):
        try:
            raise KeyError("planted")
        except KeyError:
            log.exception("failed")
    text = path.read_text()
    assert "table=silver.sales failed" in text
    assert "Traceback (most recent call last)" in text
    assert "KeyError: 'planted'" in text


def test_lines_of_spark_reach_the_file_and_not_the_terminal_a_second_time(tmp_path, capsys) -> None:
    set_up_logging(logging.INFO, {})
    with log_file(tmp_path / "r-1.log") as path:
        logging.getLogger("headgate.spark").info("ERROR Executor lost")
    assert "Executor lost" in path.read_text()
    assert "Executor lost" not in capsys.readouterr().err
