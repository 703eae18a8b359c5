"""The list of mutants fits the sources: a change that moves a text must move the mutant with it."""

import pytest

from tests.mutants.mutants import MUTANTS, Mutant
from tests.processes import ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=[f"{number:02} {mutant.file}" for number, mutant in enumerate(MUTANTS)])
def test_the_text_of_a_mutant_is_once_in_its_file_and_its_tests_exist(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.old) == 1
    for test in mutant.tests:
        file, _, name = test.partition("::")
        assert not name or f"def {name.partition('[')[0]}(" in (ROOT / file).read_text()
