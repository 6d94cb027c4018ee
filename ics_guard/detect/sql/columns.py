"""Which columns differ between two versions of one CREATE TABLE: the one place where sqlglot is needed."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

from ics_guard.detect.operations import Operation

_DIALECTS = ("postgres", "sqlite", "mysql", "tsql")


def with_columns(operations: Iterable[Operation]) -> list[Operation]:
    """Given operations, return them with the columns named where a CREATE TABLE was edited."""
    return [
        replace(operation, detail=column_difference(operation.before, operation.canonical))
        if operation.before and operation.operation == "create_table"
        else operation
        for operation in operations
    ]


def column_difference(before: str, after: str) -> str:
    """Given two CREATE TABLE statements, return a sentence on the columns that differ ("" if it cannot be told)."""
    old, new = _columns(before), _columns(after)
    if old is None or new is None:
        return ""
    parts = (
        ("added", [name for name in new if name not in old]),
        ("removed", [name for name in old if name not in new]),
        ("altered", [name for name in new if name in old and old[name] != new[name]]),
    )
    told = [f"{what} {', '.join(names)}" for what, names in parts if names]
    return f"Columns {'; '.join(told)}." if told else ""


def _columns(statement: str) -> dict[str, str] | None:
    import sqlglot  # noqa: PLC0415 - 165 ms that a commit without an edited CREATE TABLE need not wait for
    from sqlglot import exp  # noqa: PLC0415

    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns on standard error where it gives up; we see that
    for dialect in _DIALECTS:
        try:
            tree = sqlglot.parse_one(statement, dialect=dialect)
        except sqlglot.errors.SqlglotError:
            continue
        if isinstance(tree, exp.Create) and isinstance(tree.this, exp.Schema):
            found = [item for item in tree.this.expressions if isinstance(item, exp.ColumnDef)]
            return {column.name.lower(): column.sql(dialect) for column in found}
    return None
