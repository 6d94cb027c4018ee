"""SQLAlchemy models: one notice a file when what a class says of its table changed."""

from __future__ import annotations

import ast

from ics_guard.detect.operations import Operation, unreadable
from ics_guard.detect.python.meaning import meaning
from ics_guard.detect.python.tree import Module, dotted, parse
from ics_guard.detect.text import word_set

_MAPPED = word_set(
    "Column mapped_column relationship ForeignKey synonym column_property composite Index UniqueConstraint "
    "CheckConstraint ForeignKeyConstraint PrimaryKeyConstraint deferred Field Relationship association_proxy"
)
_TABLE = ("__tablename__", "__table_args__", "__table__", "__mapper_args__")


def detect_models(before: bytes | None, after: bytes | None) -> list[Operation]:
    """Given both versions of a file of models, return the notice that they changed, if they did."""
    old, new = parse(before or b""), parse(after or b"")
    if old is None or new is None:
        return [unreadable(before, after)]
    was, now = _tables(old), _tables(new)
    changed = [name for name in {**was, **now} if was.get(name, ("",))[0] != now.get(name, ("",))[0]]
    if not changed:
        return []
    line = min((now[name][1] for name in changed if name in now), default=1)
    text = "; ".join(f"{name} {now.get(name, ('gone',))[0]}" for name in sorted(changed))
    return [Operation("model.changed", "model", ", ".join(changed), text, line, 1)]


def _tables(module: Module) -> dict[str, tuple[str, int]]:
    """What each class, or each `Table(…)`, says of its table, and the line it begins on."""
    result = {}
    for name, node in module.classes.items():
        said = [
            item
            for item in node.body
            if isinstance(item, ast.Assign | ast.AnnAssign) and _says(item, module, annotated=_is_table_model(node))
        ]
        if said:
            bases = meaning([*node.bases, *node.keywords], module)
            annotations = [item.annotation for item in said if isinstance(item, ast.AnnAssign)]
            bare = [item.target for item in said if isinstance(item, ast.AnnAssign)]
            result[name] = f"{bases} {meaning([*said, *bare, *annotations], module)}", node.lineno
    for name, value in module.constants.items():
        if isinstance(value, ast.Call) and dotted(value.func, module).rpartition(".")[2] == "Table":
            result[name] = meaning([value], module), value.lineno
    return result


def _is_table_model(node: ast.ClassDef) -> bool:
    """SQLModel: every annotated attribute of `class X(SQLModel, table=True)` is a column."""
    return any(item.arg == "table" for item in node.keywords)


def _says(item: ast.Assign | ast.AnnAssign, module: Module, *, annotated: bool) -> bool:
    target = item.targets[0] if isinstance(item, ast.Assign) else item.target
    if isinstance(target, ast.Name) and target.id in _TABLE:
        return True
    if isinstance(item, ast.AnnAssign) and (annotated or "Mapped[" in ast.unparse(item.annotation)):
        return True
    calls = [node for node in ast.walk(item.value) if isinstance(node, ast.Call)] if item.value else []
    return any(_called(call, module) in _MAPPED for call in calls)


def _called(call: ast.Call, module: Module) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func, module).rpartition(".")[2]
