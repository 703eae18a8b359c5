"""Mutation tests: faults that the tests must notice, one for each rule that an invariant rests on.

`python -m tests.mutants` puts each mutant into a copy of the tree and runs the tests that must fail.
"""
