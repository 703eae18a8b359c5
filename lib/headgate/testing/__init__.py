"""What authors of tables, and Headgate itself, test with: docs/testing.md.

`plugin` is pytest's, and gives the fixtures; `lake` is a lake of its own for a test; `properties` are the asserts;
`faults` stops a run at a named point. Nothing but tests imports it, and to import it loads no pyspark.
"""

from headgate.testing.properties import (
    assert_contract_holds,
    assert_crash_safe,
    assert_late_data_converges,
    assert_order_insensitive,
    assert_rerun_is_noop,
    assert_rows,
)

__all__ = [
    "assert_contract_holds",
    "assert_crash_safe",
    "assert_late_data_converges",
    "assert_order_insensitive",
    "assert_rerun_is_noop",
    "assert_rows",
]
