"""Compares the tables in the lake with the declared ones: built by older code, or not declared any more."""

from __future__ import annotations

from collections.abc import Iterable

import obstore
from obstore.store import ObjectStore

from headgate.contracts.environment import table_path
from headgate.ledger.ledger import Head, Ledger
from headgate.planning.graph import Graph, Node
from headgate.planning.plan import Kind, Work, contract_changes, declaration

#: The message for a Delta table in the lake that no module declares.
NOT_DECLARED = "not declared any more: left as it is"

_LAYERS = ("bronze", "silver", "gold")


def codes_after(work: Work, code: str) -> list[str]:
    """The hashes of the code that made a table's rows, once `code` has done `work`: an increment keeps older rows."""
    return [code] if work.whole else sorted({*_codes(work.head), code})


def suites_after(work: Work, suite: str) -> list[str]:
    """The hashes of the suites that a table's rows passed, once `suite` has judged `work`; empty for none at all."""
    suites = {suite} if work.whole else {*_suites(work.head), suite}
    return sorted(suites) if any(suites) else []


def is_older(node: Node, head: Head) -> bool:
    """Whether rows of the table were made by other code than it has now.

    A bronze table's code is its contract, and its rows are as they were sent: there only the last commit counts.
    """
    if node.layer == "bronze":
        return head.metadata is not None and head.metadata.code != node.code_hash
    return any(code != node.code_hash for code in _codes(head))


def note(graph: Graph, node: Node, work: Work) -> str:
    """Returns the note that a plan shows with a table's work; empty for none."""
    if work.whole or work.kind is Kind.REFUSED:
        return ""
    if not is_older(node, work.head):
        return _note_of_suite(node, work.head)
    if changed := contract_changes(graph, node, work.head):
        reasons = "; ".join(change.message for change in changed)
        return f"its contract changed: {reasons}; old rows stay valid, no rebuild is needed for it"
    if node.layer == "bronze":
        return ""  # its rows are as they were sent; the table that reads them says what changed
    return f"built by older code: old rows not rebuilt (headgate run --rebuild -s {node.name})"


def _note_of_suite(node: Node, head: Head) -> str:
    if not node.suite_hash or all(suite == node.suite_hash for suite in _suites(head)):
        return ""
    return f"its suite changed: old rows not judged by it (headgate check --table {node.name})"


def modified(graph: Graph, ledger: Ledger) -> set[str]:
    """The tables that are not built yet, were built by older code, or are declared otherwise than they were built."""
    return {name for name, node in graph.nodes.items() if _is_modified(node, ledger.head(name))}


def undeclared(store: ObjectStore, graph: Graph) -> list[str]:
    """The Delta tables in the lake that no contract and no module declares: removed or renamed. A listing a layer."""
    names = (f"{layer}.{name}" for layer in _LAYERS for name in _folders(store, layer))
    return [name for name in names if name not in graph.nodes and _is_delta(store, name)]


def _is_modified(node: Node, head: Head) -> bool:
    if not head.exists or is_older(node, head):
        return True
    return node.layer != "bronze" and (head.metadata is None or head.metadata.declared != declaration(node))


def _codes(head: Head) -> Iterable[str]:
    return head.metadata.codes if head.metadata else ()


def _suites(head: Head) -> Iterable[str]:
    """What the rows were judged by; of a table that never had a suite, none."""
    suites = head.metadata.suites if head.metadata else ()
    return suites or ([""] if head.exists else [])


def _folders(store: ObjectStore, layer: str) -> list[str]:
    prefixes = obstore.list_with_delimiter(store, f"{layer}/")["common_prefixes"]
    return sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in prefixes)


def _is_delta(store: ObjectStore, table: str) -> bool:
    log = obstore.list(store, f"{table_path(table)}/_delta_log/", chunk_size=1)
    return next(iter(log), None) is not None
