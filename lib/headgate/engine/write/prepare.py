"""Prepares the work on a table: everything that can be checked before a row is read."""

from __future__ import annotations

from dataclasses import fields, replace

from headgate.engine.gate import gate
from headgate.engine.gate.athena import require_athena
from headgate.engine.read.output_schema import require_contract, require_same_or_added
from headgate.engine.read.records import changes_of, empty_records
from headgate.engine.read.snapshots import live_rows, snapshots
from headgate.engine.write.outcome import Job, RecordJob
from headgate.table import Append, Merge


def prepared(job: Job) -> Job:
    """Returns the job with its inputs; of a `Merge` or `Append` table a RecordJob, whose columns fit the declaration.

    Raises TableError where the function does not fit the declaration, BatchRefused where its columns do not fit the
    table or its contract, SuiteError where the suite does not fit the columns.
    """
    names = job.suite.relations if job.suite else ()
    relations = {name: live_rows(job, name) for name in names if name in job.work.sources}
    job = replace(job, inputs=snapshots(job), relations=relations)
    if not isinstance(job.node.writes, Append | Merge):
        return job
    parameter, _ = changes_of(job)
    function = job.function.check(job.session, {parameter: empty_records(job), **job.inputs})
    shape = function.shape
    require_contract(shape, job.contract, job.node)
    require_athena(shape, job)
    require_same_or_added(shape, job.work, job.node, job.committer.ledger)
    common = {field.name: getattr(job, field.name) for field in fields(Job)}
    return RecordJob(**common, checked_function=function, marks=gate.marks_of(job, shape))
