"""SQL files: two versions to operations."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ics_guard.detect.operations import Operation, compare, settle, unreadable
from ics_guard.detect.rules import RULES
from ics_guard.detect.sql.columns import with_columns
from ics_guard.detect.sql.read import read_statement
from ics_guard.detect.sql.split import Statement, split
from ics_guard.detect.sql.together import together
from ics_guard.detect.text import decode
from ics_guard.model import Severity

_DOWN_FILE = re.compile(
    r"(?:^|[/._-])(?:down|undo|rollback|revert)\.sql$|(?:^|/)U\d[^/]*__[^/]*\.sql$|(?:^|/)revert/[^/]*\.sql$",
    re.IGNORECASE,
)


def read_sql(text: str, *, down: bool = False) -> list[Operation]:
    """Given SQL text, return the operations of its statements; with `down`, those of its rollback sections."""
    return _read(split(text, rows=True), down=down)


def _read(statements: Sequence[Statement], *, down: bool) -> list[Operation]:
    return together([(one, read_statement(one)) for one in statements if one.down is down])


def detect_sql(path: str, before: bytes | None, after: bytes | None) -> list[Operation]:
    """Given both versions of a SQL file, return the operations that the edit means."""
    old, new = decode(before or b""), decode(after or b"")
    if old is None or new is None:
        return [unreadable(before, after), *(settle(read_sql(new)) if new else [])]
    (old_up, old_down), (new_up, new_down) = _both_ways(old), _both_ways(new)
    if is_way_down(path):
        old_up, new_up, old_down, new_down = [], [], [*old_up, *old_down], [*new_up, *new_down]
    if after is None:
        return deleted([*old_up, *old_down])
    return edited(old_up, new_up) + _rollback(old_down, new_down, known=before is not None, alone=not new_up)


def is_way_down(path: str) -> bool:
    """Given the path of a SQL file, return whether its name says that it is run to undo another one."""
    return _DOWN_FILE.search(path) is not None


def _both_ways(text: str) -> tuple[list[Operation], list[Operation]]:
    statements = split(text, rows=True)
    return _read(statements, down=False), _read(statements, down=True)


def edited(old: list[Operation], new: list[Operation]) -> list[Operation]:
    """Given the operations of two versions of a text, return what the edit means."""
    found = settle(with_columns(compare(old, new, removed="sql.statement_removed", changed="sql.statement_changed")))
    return found or _reworded(old, new)


def _reworded(old: list[Operation], new: list[Operation]) -> list[Operation]:
    """The same operations in more or fewer statements: no layout, and a person may have meant more by it."""
    was, now = ({(one.line, one.column) for one in some if one.severity is not Severity.NOTICE} for some in (old, new))
    if len(was) == len(now):
        return []
    first = next(one for one in new if one.severity is not Severity.NOTICE)
    meaning = f"{len(was)} -> {len(now)}: " + "; ".join(sorted(one.canonical for one in new))
    return [Operation("sql.reworded", "reworded", first.object, meaning, first.line, first.column)]


def deleted(old: list[Operation]) -> list[Operation]:
    """Given the operations of a file that is gone, return the one that its deletion is; none if it held no DDL."""
    gone = [operation for operation in old if RULES[operation.rule].severity is not Severity.NOTICE]
    if not gone:
        return []
    meaning = "deleted: " + "; ".join(sorted(operation.canonical for operation in gone))
    place, undoes = (gone[0].line, gone[0].column), tuple(operation.canonical for operation in gone)
    return [Operation("sql.file_deleted", "delete_file", gone[0].object, meaning, *place, undoes=undoes)]


def _rollback(old: list[Operation], new: list[Operation], *, known: bool, alone: bool) -> list[Operation]:
    """One operation a file. It has no effects: a way back that is there has not been gone."""
    changed = compare(old, new, removed="sql.statement_removed", changed="sql.statement_changed")
    drops = [operation for operation in changed if operation.severity is Severity.DESTRUCTIVE]
    if not changed or not (known or alone or drops):
        return []
    rule = "sql.rollback_drops" if drops else "sql.rollback_changed" if known else "sql.rollback_added"
    named = list(dict.fromkeys(operation.object for operation in drops or changed[:1]))
    detail = f"It loses {', '.join(named)}." if drops else ""
    meaning = "rollback: " + "; ".join(operation.canonical for operation in changed)
    first = (drops or changed)[0]
    return [
        Operation(rule, "rollback", ", ".join(named), meaning, first.line, first.column, detail=detail),
    ]
