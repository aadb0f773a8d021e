"""The list of training problems that the audit excluded, as the stages that must leave them out read it.

Columns read: id of excluded.

    from coldstart.exclusion import excluded_ids
    excluded_ids("results/audit/excluded.parquet")
"""

from pathlib import Path

from coldstart.artifacts import read_table


def excluded_ids(path: str | Path | None) -> set[str]:
    """The excluded ids; none if no list is given, as by hand without an audit."""
    return set() if path is None else set(read_table(path, "excluded", ["id"]).column("id").to_pylist())
