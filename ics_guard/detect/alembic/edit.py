"""Two versions of an Alembic revision file to operations."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import PurePosixPath

from ics_guard.detect.alembic.calls import all_dead, calls_of, foreign_on_loading, loaded
from ics_guard.detect.alembic.directives import DIRECTIVES, INERT
from ics_guard.detect.alembic.downgrade import downgrade_findings, entry_function
from ics_guard.detect.alembic.revision import revision_of
from ics_guard.detect.alembic.statements import executed
from ics_guard.detect.alembic.walk import Walk
from ics_guard.detect.operations import Operation, compare, settle, unreadable
from ics_guard.detect.python.acts import may_give_any_name, runs_on_loading
from ics_guard.detect.python.bindings import is_strange
from ics_guard.detect.python.follow import function_name
from ics_guard.detect.python.meaning import loose_statements, meaning, reached_meaning
from ics_guard.detect.python.plain import as_written
from ics_guard.detect.python.sqlalchemy_reading import Scope
from ics_guard.detect.python.tree import Function, Module, dotted, parse, reachable
from ics_guard.detect.sql.together import assigned
from ics_guard.model import Severity

_OP = "alembic.op."
_IDENTITY = ("revision", "down_revision", "depends_on")


def detect_alembic(before: bytes | None, after: bytes | None, path: str = "") -> tuple[list[Operation], str | None]:
    """Given both versions of a file in a folder of revisions, return what the edit means and the revision it is of."""
    old, new = parse(before or b""), parse(after or b"")
    if old is None or new is None:
        found = fresh(new)[0] if new and _is_revision(new) else []
        return [unreadable(before, after), *found], _name(new) if new else None
    if not _is_revision(new):
        if _is_revision(old):
            return [_deleted(old)], _name(old)
        return _helper(old, new, path), None
    if not _is_revision(old):
        return fresh(new)
    if _name(old) != _name(new):
        return [_deleted(old), *fresh(new)[0]], _name(new)
    return _edited(old, new), _name(new)


def _is_revision(module: Module) -> bool:
    """Alembic takes what a file calls so, wherever that comes from; a function of this name is no identity."""
    names = module.bindings.last
    if all(isinstance(given.node, ast.FunctionDef | ast.ClassDef) for given in names.get("revision", ())):
        return False
    return "revision" in module.constants or "down_revision" in names or "upgrade" in names


def _name(module: Module) -> str | None:
    node = module.constants.get("revision")
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _simple(module: Module, rule: str, operation: str, canonical: str, *, name: str = "revision") -> Operation:
    node = module.functions.get(name) or module.constants.get(name)
    line, column = (node.lineno, 1) if node else (1, 1)
    return Operation(rule, operation, _name(module) or "", canonical, line, column)


def _deleted(old: Module) -> Operation:
    return _simple(old, "alembic.revision_deleted", "delete_revision", f"deleted {_name(old)}")


def fresh(module: Module) -> tuple[list[Operation], str | None]:
    """Given a revision that is new, return its operations, or the one that says that the head moves, and its name."""
    found = _pinned(_settled(upgrade_operations(module)), module)
    revision = revision_of(module)
    if revision is None:
        found.append(_simple(module, "alembic.graph", "graph", "identity that is not literal"))
    parents = revision.down_revisions if revision else ()
    if len(parents) > 1:
        found.append(_simple(module, "alembic.merge", "merge", f"merge of {', '.join(parents)}", name="down_revision"))
    found = found or [_simple(module, "alembic.revision", "revision", f"revision after {', '.join(parents)}")]
    return [*found, *_downgrades(module)], _name(module)


def _settled(operations: list[Operation]) -> list[Operation]:
    """Operations judged together; NOT NULL loses nothing where the column is new too, or is filled just before."""
    result, new_columns, filled = list[Operation](), set[str](), ""
    for operation in settle(operations):
        column = operation.object.rpartition(".")[2]
        known = operation.object in new_columns or re.search(rf"\b{re.escape(column)} = ", filled)
        if operation.rule == "alembic.set_not_null" and known:
            result.append(replace(operation, rule="alembic.set_not_null_filled"))
        elif operation.rule == "sql.update_all" and assigned(operation.canonical) <= new_columns:
            result.append(replace(operation, rule="sql.fill_column", canonical=f"{operation.canonical} new"))
        else:
            result.append(operation)
        if operation.operation == "add_column":
            new_columns.add(operation.object)
        if operation.canonical.startswith("update "):
            filled += f"\n{operation.canonical}"
    return result


def _downgrades(module: Module) -> list[Operation]:
    """What is to be said of the ways back down."""
    result = []
    for name in _entries(module, "upgrade") or ["upgrade"]:
        suffix = name.removeprefix("upgrade")
        up, down = (_walked(module, direction + suffix) for direction in ("upgrade", "downgrade"))
        result += downgrade_findings(module, suffix, up, down)
    return result


def _walked(module: Module, name: str) -> list[Operation]:
    walk, function = Walk(module), entry_function(module, name)
    if function is not None:
        walk.entry(function)
    return walk.operations


def _entries(module: Module, direction: str) -> list[str]:
    """The functions that Alembic calls, by their names; some only have the name of one that is called otherwise."""
    named = re.compile(rf"{direction}(?:_\w+)?")
    aliases = [name for name in module.constants if named.fullmatch(name) and entry_function(module, name)]
    defined = [
        name
        for name, end in module.bindings.last.items()
        if named.fullmatch(name) and any(given.node is module.functions.get(name) for given in end)
    ]
    return [*defined, *(name for name in aliases if name not in defined)]


def _elsewhere(module: Module, direction: str) -> list[str]:
    """What has the name of a way, or of the identity, and is, or may be, nothing that can be seen here."""
    several = b"globals()" in module.source  # one for each database, called by its name
    named = re.compile(rf"{direction}(?:_\w+)?|(?:down_)?revision" if several else rf"{direction}|(?:down_)?revision")
    entries = _entries(module, direction)
    return [
        f"{name} {given.source or meaning([given.node], module)}"
        for name, end in module.bindings.last.items()
        if named.fullmatch(name)
        for given in end
        if given.source or (name == direction and (len(end) > 1 or name not in entries))
    ]


def _walk(module: Module, direction: str) -> Walk:
    walk, entries = Walk(module), list[tuple[bool, int, Function | ast.Lambda]]()
    if direction == "upgrade":
        walk.loaded(loaded(module))
    for name in _entries(module, direction):
        if (function := entry_function(module, name)) is not None:
            entries.append((name != direction, function.lineno, function))
    for _, _, function in sorted(entries, key=lambda entry: entry[:2]):
        if function_name(function) not in walk.visited:
            walk.entry(function)
    return walk


def upgrade_operations(module: Module) -> list[Operation]:
    """Given a revision, return what its upgrade does, in order; what cannot be followed comes out as unknown."""
    walk = _walk(module, "upgrade")
    found = walk.operations
    elsewhere = _elsewhere(module, "upgrade")
    if not _entries(module, "upgrade") and not elsewhere:
        found.append(_simple(module, "alembic.foreign_code", "upgrade", "upgrade is not defined here", name="upgrade"))
    for name in elsewhere:
        called = name.partition(" ")[0]
        found.append(_simple(module, "alembic.foreign_code", "upgrade", f"it may be another: {name}", name=called))
    followed = walk.seen | _walk(module, "downgrade").seen
    for node in (*calls_of(module), *_handed_over(module)):
        if id(node) not in followed:
            called = ast.unparse(node.func if isinstance(node, ast.Call) else node)
            text = f"unfollowed {meaning([node], module)}"
            found.append(Operation("alembic.foreign_code", "call", called, text, node.lineno, node.col_offset + 1))
    return found


def _handed_over(module: Module) -> list[ast.expr]:
    """Where `op`, or a directive of it, is not called but given to something else, which may call it."""
    inside = {id(node.func) for node in ast.walk(module.tree) if isinstance(node, ast.Call)}
    inside |= {id(node.value) for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)}
    dead = all_dead(module)
    return [
        node
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Name | ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and id(node) not in inside | dead
        if f"{dotted(node, module)}." == _OP or _is_directive(dotted(node, module))
    ]


def _is_directive(name: str) -> bool:
    return name.startswith(_OP) and name.removeprefix(_OP) not in INERT


def _edited(old: Module, new: Module) -> list[Operation]:
    result = list[Operation]()
    if _identity(old) != _identity(new):
        result.append(_simple(new, "alembic.graph", "graph", _identity(new), name="down_revision"))
    if _reached(old, "upgrade") != _reached(new, "upgrade"):
        difference = _settled(
            compare(
                upgrade_operations(old),
                upgrade_operations(new),
                removed="alembic.operation_removed",
                changed="alembic.operation_changed",
            )
        )
        code = _simple(new, "alembic.upgrade_changed", "upgrade", _reached(new, "upgrade"), name="upgrade")
        result += _pinned(difference, new) or ([] if _plainly(old) == _plainly(new) is not None else [code])
    if _reached(old, "downgrade") != _reached(new, "downgrade"):
        text = _reached(new, "downgrade")
        result.append(_simple(new, "alembic.downgrade_changed", "downgrade", text, name="downgrade"))
    if not result:
        return _reworded(old, new)
    said = {operation.canonical for operation in _downgrades(old)}
    return result + [operation for operation in _downgrades(new) if operation.canonical not in said]


def _reworded(old: Module, new: Module) -> list[Operation]:
    """One word where the code is another and what it does is, as far as can be read, the same."""
    was, now = (
        as_written(reachable(module, [*_entries(module, "upgrade"), *_entries(module, "downgrade")]), module)
        for module in (old, new)
    )
    return [] if was == now else [_simple(new, "alembic.reworded", "reword", f"reworded {now}", name="upgrade")]


def _plainly(module: Module) -> list[str] | None:
    """All that the way up does, in order; None where more may happen than can be listed."""
    walk = _walk(module, "upgrade")
    known = all(found.severity is not Severity.UNKNOWN and "{" not in found.canonical for found in walk.operations)
    entries = _entries(module, "upgrade")
    made = any(isinstance(node, ast.ClassDef) for node in reachable(module, entries))
    often = any(len(given) > 1 for given in module.bindings.ever.values())
    at_once = [*loose_statements(module), *loaded(module), *foreign_on_loading(module)]
    only = walk.plain and known and entries == ["upgrade"] and not made and not often and not at_once
    if not only or module.bindings.everything:
        return None
    inside = [inner for node in reachable(module, entries) for inner in ast.walk(node) if isinstance(inner, ast.Name)]
    sources = {source for inner in inside if is_strange(source := module.imports.get(inner.id, "os"))}
    return [*(found.canonical for found in walk.operations), *sorted(sources)]


def _pinned(operations: list[Operation], module: Module) -> list[Operation]:
    """What could not be read, or names what it works on only when it runs, is one thing with the code that it is in."""
    unread = [found for found in operations if found.severity is Severity.UNKNOWN or "{" in found.canonical]
    code = _reached(module, "upgrade") if unread else ""
    return [
        replace(found, canonical=f"{found.canonical} in {code}") if found in unread else found for found in operations
    ]


def _identity(module: Module) -> str:
    revision, labels = revision_of(module), module.constants.get("branch_labels", ast.Constant(None))
    unread = [module.constants[name] for name in _IDENTITY if name in module.constants and revision is None]
    return f"{revision} {meaning([labels, *unread], module)}"


def _reached(module: Module, direction: str) -> str:
    """The meaning of the functions of one direction, of all they lead to, and of what runs when the file is loaded."""
    entries = sorted(_entries(module, direction))
    loose = loose_statements(module)
    loose += [node for node in (*loaded(module), *foreign_on_loading(module)) if node not in loose]
    nodes = [*filter(None, (entry_function(module, name) for name in entries)), *loose]
    brought = [*_elsewhere(module, direction), *sorted({given.source for given in module.bindings.everything})]
    return f"{entries} {reached_meaning(nodes, module)} {brought}"


def _helper(old: Module, new: Module, path: str) -> list[Operation]:
    """A file of the folder that is no revision: silent unless it holds operations that revisions may call.

    Or unless it may be one in the end, or runs something when it is loaded: Alembic loads every file but `__init__.py`.
    """
    is_package = PurePosixPath(path).name.startswith("__init__")
    brought, before = ("" if is_package else may_give_any_name(module) for module in (new, old))
    text = meaning([new.tree], new)
    if meaning([old.tree], old) == text and brought == before:
        return []
    if brought:
        place = Operation("alembic.foreign_code", "import", brought, f"it may be a revision: {brought} {text}", 1, 1)
        return [place]
    now, was = (
        [
            *(call.lineno for call in calls_of(module) if _operates(call, module)),
            *(node.lineno for node in runs_on_loading(module)),
        ]
        for module in (new, old)
    )
    if not now and not was:
        return []
    line = now[0] if now else 1
    return [Operation("alembic.helper", "helper", "", f"helper {text}", line, 1)]


def _operates(call: ast.Call, module: Module) -> bool:
    """Whether this is an operation, on `op` or on what a revision hands over in its place, or runs SQL that is one."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if name in DIRECTIVES or name == "batch_alter_table" or dotted(call.func, module).startswith(_OP):
        return True
    return any(found.severity is not Severity.UNKNOWN for found in executed(call, Scope(module)))
