"""The way back down: is it there, does it undo what the way up does, and what does it lose?"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from ics_guard.detect.operations import Operation
from ics_guard.detect.python.follow import called
from ics_guard.detect.python.meaning import is_idle, meaning
from ics_guard.detect.python.sqlalchemy_reading import Scope
from ics_guard.detect.python.tree import Function, Module
from ics_guard.detect.text import word_set
from ics_guard.model import Severity

OPERATION = "downgrade"
"""What every finding about the way down is called: it says nothing about databases that only go up."""

_LOSES = word_set(
    "drop_table drop_column drop_schema drop_cascade drop_partition replace_table truncate delete_all update_all"
)
_UNDONE_BY = {
    "create_table": ("drop_table", "rename_table", "drop_schema", "drop_all"),
    "drop_table": ("create_table", "rename_table"),
    "rename_table": ("rename_table", "drop_table"),
    "add_column": ("drop_column", "alter_column", "rename_column"),
    "drop_column": ("add_column", "alter_column", "rename_column"),
    "alter_column": ("alter_column", "rename_column", "drop_column", "add_column"),
    "create_index": ("drop_index",),
    "drop_index": ("create_index",),
    "add_constraint": ("drop_constraint", "drop_index"),
    "drop_constraint": ("add_constraint", "create_index"),
    "create_type": ("drop_type",),
    "drop_type": ("create_type",),
}
"""Operations that can undo one. Others, data and raw SQL on the way up among them, are not asked after."""
_UNDONE_BY_NAME = word_set("create_table drop_table rename_table create_type drop_type")
_WHOLE_TABLE = word_set("drop_table create_table rebuild_table")
_TOLD = 6


def entry_function(module: Module, name: str) -> Function | ast.Lambda | None:
    """Given the name of a way up or down, return the function of the file that it is, under whatever name."""
    found = called(ast.Name(name, ast.Load()), Scope(module))
    return module.functions.get(name) or (found[0] if found else None)


def downgrade_findings(
    module: Module, suffix: str, up: Sequence[Operation], down: Sequence[Operation]
) -> list[Operation]:
    """Given a revision and what its ways up and down of one name do, return what is to be said of the way down."""
    function = entry_function(module, f"downgrade{suffix}")
    place = function or entry_function(module, f"upgrade{suffix}")
    identity = meaning([module.constants.get("revision", ast.Constant(None))], module)
    line, column = (place.lineno, place.col_offset + 1) if place else (1, 1)

    def finding(rule: str, names: Iterable[str] = ()) -> Operation:
        told = sorted(set(names))
        more = f" and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
        detail = f"({', '.join(told[:_TOLD])}{more})" if told else ""
        text = f"{rule}{suffix} of {identity}: {'; '.join(told)}"
        return Operation(rule, OPERATION, ", ".join(told[:_TOLD]), text, line, column, detail=detail)

    result = []
    lost = [f"{found.operation} {found.object}".rstrip() for found in _losses(down)]
    if lost:
        result.append(finding("alembic.downgrade_drops", lost))
    named = f"downgrade{suffix}" in module.constants or f"downgrade{suffix}" in module.imports
    elsewhere = named and function is None
    if not up or elsewhere or isinstance(function, ast.Lambda):
        return result
    if function is None or (not down and all(_is_nothing(node, module) for node in function.body)):
        result.append(finding("alembic.downgrade_missing"))
    elif any(isinstance(node, ast.Raise) for node in function.body):
        result.append(finding("alembic.irreversible"))
    elif left := [f"{found.operation} {found.object}" for found in _left(up, down)]:
        result.append(finding("alembic.downgrade_incomplete", left))
    return result


def _is_nothing(node: ast.stmt, module: Module) -> bool:
    empty_return = isinstance(node, ast.Return) and (node.value is None or isinstance(node.value, ast.Constant))
    return isinstance(node, ast.Pass | ast.Import | ast.ImportFrom) or empty_return or is_idle(node, module)


def _losses(down: Sequence[Operation]) -> Iterator[Operation]:
    """What loses rows or columns, but for tables that are made on the same way."""
    made = set[str]()
    for found in down:
        if found.operation == "create_table":
            made.add(_table(found))
        name = found.rule.partition(".")[2]
        if (name in _LOSES or (name == "change_rows" and found.operation == "delete")) and _table(found) not in made:
            yield found


def _left(up: Sequence[Operation], down: Sequence[Operation]) -> Iterator[Operation]:
    """What the way up does and nothing on the way down can undo, as far as both can be read."""
    if any(found.severity is Severity.UNKNOWN for found in down):
        return
    renames = any(found.operation == "rename_table" for found in (*up, *down))
    for found in up:
        if found.operation not in _UNDONE_BY or found.rule.startswith("sql.") or "{" in found.object:
            continue
        opposite = _UNDONE_BY[found.operation]
        itself = [other for other in up if other is not found and other.operation in opposite]
        if any(_same(found, other, renames) and other.operation != found.operation for other in itself):
            continue  # made and removed, or replaced, on the same way
        if not any(_undoes(found, other, renames) for other in down):
            yield found


def _undoes(found: Operation, other: Operation, renames: bool) -> bool:
    same_table = _table(found) == _table(other) or renames
    if other.operation in _WHOLE_TABLE and found.operation not in _UNDONE_BY_NAME:
        return same_table
    if found.operation in ("drop_constraint", "drop_index") and other.operation == "add_column" and same_table:
        return found.operation == "drop_constraint" or "index=" in other.canonical or "unique=" in other.canonical
    if found.operation in ("add_constraint", "create_index") and other.operation == "drop_column" and same_table:
        return True  # it may go with the column
    return other.operation in _UNDONE_BY[found.operation] and _same(found, other, renames)


def _same(found: Operation, other: Operation, renames: bool) -> bool:
    """Whether two operations are about one thing, as far as their names tell."""
    if "{" in other.object:
        return True
    if "column" in found.operation and "column" in other.operation:
        named = (
            _last(found.object) == _last(other.object) or f"new_column_name='{_last(found.object)}'" in other.canonical
        )
        return named and (renames or _table(found) == _table(other))
    if "constraint" in found.operation and _table(found) == _table(other):
        unnamed = "constraint" in other.operation and _table(found) in (_last(found.object), _last(other.object))
        return unnamed or _last(found.object) == _last(other.object) or found.operation == "drop_constraint"
    if "index" in found.operation:
        return _last(found.object) == _last(other.object) or (not found.object and _table(found) == _table(other))
    if found.operation == "rename_table":
        return f"'{_table(found)}'" in other.canonical or _table(found) == _table(other)
    return _last(found.object) == _last(other.object) or f"'{_last(found.object)}'" in other.canonical


def _table(found: Operation) -> str:
    return _last(found.table or found.object)


def _last(name: str) -> str:
    return name.rpartition(".")[2]
