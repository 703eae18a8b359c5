"""Which check is made of which table, in the order of the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial

import pyarrow as pa

from headgate.contracts.environment import Environment
from headgate.planning.graph import Graph, Node
from headgate.planning.plan import Planner
from headgate.reconcile import landing, records, slices
from headgate.reconcile.finding import Check, Kind, Level, NotChecked, Tally
from headgate.table import Append, Changes, Merge

PLAN = "plan"
BEHIND = Kind("the next run has work here", Level.WAITING, "headgate run")
UNREADABLE = Kind("cannot be read", fix="restore the file in the message; headgate history {table} shows the versions")


@dataclass(frozen=True)
class Reconciler:
    """Checks an environment's lake. At most `limit` findings of a kind are named (0: all); `tell` is called with
    progress.

    `since` is the first landing day that is checked (None: all); `digest` reads every object and compares its bytes.
    """

    environment: Environment
    graph: Graph
    since: date | None = None
    digest: bool = False
    limit: int = 10
    tell: Callable[[str], None] = lambda _: None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def checks(self, names: Iterable[str]) -> Iterator[Check]:
        """The checks of the named tables, each as it is done."""
        planner = Planner(self.environment, self.graph, self.clock)
        arrivals = landing.Landing(
            planner, self.environment.object_store(), self.clock(), self.since, self.digest, self.limit, self.tell
        )
        yield arrivals.strays(set(self.graph.contracts))
        for name in names:
            node = self.graph.node(name)
            if node.layer == "bronze":
                yield from self._guarded(landing.NAME, name, partial(arrivals.checks, name))
            else:
                yield self._plan(planner, name)
                yield from self._table(planner, node)

    def leftovers(self, remove: bool = False) -> Iterator[Check]:
        """What receivers left in a folder's `incoming/`; those a day old are deleted where `remove` says so."""
        if self.environment.is_folder:
            yield landing.leftovers(self.environment.folder, self.clock(), self.limit, remove=remove)

    def _plan(self, planner: Planner, name: str) -> Check:
        tally = Tally(self.limit)
        work = planner.plan_table(name)
        tally.compared = 1
        if work.is_work:
            tally.add(BEHIND, f"{work.kind.value} {work.reason}".strip())
        return tally.check(PLAN, name, "tables")

    def _table(self, planner: Planner, node: Node) -> list[Check]:
        if isinstance(node.writes, Append | Merge):

            def check() -> list[Check]:
                return [records.check_records(planner.ledger, node, _bronze_of(node), self.limit, self.tell)]

            return self._guarded(records.NAME, node.name, check)
        return self._guarded(
            slices.NAME, node.name, lambda: [slices.check_slices(planner.ledger, node, self.limit, self.tell)]
        )

    def _guarded(self, name: str, table: str, make: Callable[[], list[Check]]) -> list[Check]:
        """Returns the check of `make`; or a check with the reason why it was not possible."""
        from deltalake.exceptions import DeltaError

        try:
            return make()
        except NotChecked as reason:
            return [Check(name, table, not_checked=str(reason))]
        except (DeltaError, pa.ArrowException, OSError) as error:
            tally = Tally(self.limit)
            tally.add(UNREADABLE, str(error).partition("\n")[0])
            return [tally.check(name, table, "")]


def _bronze_of(node: Node) -> str:
    """The bronze table that feeds a table of records. Raises NotChecked where it is another `Append` table."""
    if node.bronze is None:
        source = next(read.table for read in node.reads.values() if isinstance(read, Changes))
        raise NotChecked(f"its records come from {source}, which is checked against bronze")
    return node.bronze
