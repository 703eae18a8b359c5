"""Only a pair of Spark and Delta that was tested starts a session."""

from __future__ import annotations

import pytest

from headgate.engine.runtime.jars import DELTA, _ensured
from headgate.engine.runtime.versions import PAIRS, require_same, require_versions
from headgate.errors import SetupError


def test_the_installed_pair_is_tested():
    require_versions()
    assert DELTA.startswith("io.delta:delta-spark_")


@pytest.mark.parametrize(("spark", "delta"), [("4.1.1", "4.2.0"), ("4.1.1-amzn-0", "4.2.0"), ("4.2.1", "4.4.0")])
def test_a_tested_pair_is_taken(spark, delta):
    require_versions(spark, delta)


@pytest.mark.parametrize(("spark", "delta"), [("4.1.1", "4.4.0"), ("3.5.6", "3.3.2"), ("4.3.0", "4.4.1")])
def test_another_pair_is_refused_and_the_tested_pairs_are_named(spark, delta):
    with pytest.raises(SetupError, match="is not a tested pair of versions") as refused:
        require_versions(spark, delta)
    assert all(f"pyspark {tested}" in str(refused.value.fix) for tested in PAIRS)


def test_spark_of_another_version_than_pyspark_is_refused():
    require_same("4.1.1-amzn-0", "4.1.1")
    with pytest.raises(SetupError, match=r"Spark's jars are of 3\.5\.6, and PySpark is 4\.1\.1"):
        require_same("3.5.6", "4.1.1")


def test_a_folder_with_jars_of_another_version_is_refused(tmp_path):
    (tmp_path / "resolved").write_text("io.delta:delta-spark_4.0_2.13:4.0.0")
    with pytest.raises(SetupError, match=r"are of io.delta:delta-spark_4.0_2.13:4.0.0"):
        _ensured({DELTA: ()}, tmp_path)
