"""Django migrations: two versions of a file to operations, read from `operations` of class Migration."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import PurePosixPath

from ics_guard.detect.django.migration import Migration, brought, migration_of
from ics_guard.detect.django.operation import IRREVERSIBLE
from ics_guard.detect.django.steps import django_steps
from ics_guard.detect.operations import Operation, compare, settle, unreadable
from ics_guard.detect.python.acts import runs_on_loading
from ics_guard.detect.python.meaning import loose_statements, meaning, reached_meaning
from ics_guard.detect.python.plain import as_written
from ics_guard.detect.python.tree import Module, parse, reachable
from ics_guard.detect.text import word_set
from ics_guard.model import Severity

_IDENTITY = ("dependencies", "replaces", "run_before", "initial", "atomic")
_ON_NEW_MODEL = word_set("add_required_field add_constraint alter_field set_not_null set_not_null_filled")


def detect_django(path: str, before: bytes | None, after: bytes | None) -> list[Operation]:
    """Given both versions of a file in a folder of migrations, return what the edit means."""
    old, new = parse(before or b""), parse(after or b"")
    was, now = (migration_of(one, path) if one else None for one in (old, new))
    if old is None or new is None:
        return [unreadable(before, after), *(_fresh(now) if now else [])]
    if now is None:
        return (
            _helper(old, new) if was is None else [_simple(was, "django.migration_deleted", meaning([was.node], old))]
        )
    return _fresh(now) if was is None else _edited(was, now)


def renamed(previous: str, path: str, content: bytes) -> list[Operation]:
    """Given where a file was, where it is and what it holds, return what its new name means: Django goes by it."""
    was, now = PurePosixPath(previous).stem, PurePosixPath(path).stem
    module = parse(content) if was != now else None
    migration = migration_of(module, path) if module else None
    if migration is None:
        return []
    return [replace(_simple(migration, "django.graph", f"renamed {was} {now}"), object=now, detail=f"(It was {was}.)")]


def _simple(migration: Migration, rule: str, canonical: str) -> Operation:
    return Operation(rule, rule.partition(".")[2], "", canonical, *_place(migration.node))


def _helper(old: Module, new: Module) -> list[Operation]:
    """A file of the folder that is no migration: silent unless migrations may run what stands in it."""
    run = [node for module in (new, old) for node in module.tree.body if _is_run(node)]
    run = [node for module in (new, old) for node in runs_on_loading(module)] + run
    if not run or meaning([old.tree], old) == meaning([new.tree], new):
        return []
    return [Operation("django.helper", "helper", "", f"helper {meaning([new.tree], new)}", run[0].lineno, 1)]


def _is_run(node: ast.stmt) -> bool:
    """Whether this is a function as `RunPython` calls it: `def fill(apps, schema_editor)`."""
    if not isinstance(node, ast.FunctionDef):
        return False
    return [parameter.arg for parameter in node.args.args][:2] == ["apps", "schema_editor"]


def _pinned(operations: list[Operation], migration: Migration) -> list[Operation]:
    """What could not be read is one thing with the code that it is in."""
    unread = [found for found in operations if found.severity is Severity.UNKNOWN]
    code = _whole(migration) if unread else ""
    return [
        replace(found, canonical=f"{found.canonical} in {code}") if found in unread else found for found in operations
    ]


def _fresh(migration: Migration) -> list[Operation]:
    replaced = migration.said("replaces")
    if isinstance(replaced, ast.List | ast.Tuple) and replaced.elts:
        return [_simple(migration, "django.squash", _whole(migration))]
    found = _pinned(settle(_operations(migration)), migration)
    if any(one.severity is not Severity.NOTICE for one in found if one.operation != "downgrade"):
        return found
    return [_simple(migration, "django.migration", meaning([migration.node], migration.module)), *found]


def _edited(was: Migration, now: Migration) -> list[Operation]:
    if _whole(was) == _whole(now):
        written = as_written(_reached(now), now.module)
        if as_written(_reached(was), was.module) == written:
            return []
        return [_simple(now, "django.reworded", f"reworded {written}")]
    difference = compare(
        _operations(was),
        _operations(now),
        removed="django.operation_removed",
        changed="django.operation_changed",
    )
    result = _pinned(settle(difference), now)
    for name in _IDENTITY:
        there = [meaning([found] if (found := one.said(name)) else [], one.module) for one in (was, now)]
        if there[0] != there[1]:
            result.append(_simple(now, "django.graph", f"{name} {there[1]}"))
    return result or [_simple(now, "django.code_changed", _whole(now))]


def _reached(migration: Migration) -> list[ast.AST]:
    node, module = migration.node, migration.module
    own = {node.name} if isinstance(node, ast.ClassDef) else set()
    names = sorted({inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)} - own)
    return [node, *reachable(module, names)]


def _whole(migration: Migration) -> str:
    module = migration.module
    loose = loose_statements(module)
    loose += [node for node in runs_on_loading(module) if node not in loose]
    elsewhere = [*brought(module), *sorted({given.source for given in module.bindings.everything})]
    return f"{reached_meaning([migration.node, *loose], module)} {elsewhere or ''}"


def _operations(migration: Migration) -> list[Operation]:
    """What the migration does, judged together: what is new in it has no rows, and one word on what has no way back."""
    steps = django_steps(migration)
    result, new_models, emptied = list[Operation](), set[str](), dict[str, str]()
    for step in (step for step in steps if step.operation != IRREVERSIBLE):
        name, may_be_empty = step.rule.removeprefix("django."), "null=True" in step.canonical
        if step.table in new_models and name in _ON_NEW_MODEL:
            result.append(replace(step, rule="django.on_new_model"))
        elif name == "alter_field" and not may_be_empty and step.object in emptied:
            filled = emptied[step.object] == "AddField" or "default=" in step.canonical
            result.append(replace(step, rule="django.set_not_null_filled" if filled else "django.set_not_null"))
        else:
            result.append(step)
        if name == "create_model":
            new_models.add(step.object)
        if may_be_empty and step.operation in ("AddField", "AlterField"):
            emptied[step.object] = step.operation
    stuck = [step for step in steps if step.operation == IRREVERSIBLE]
    if stuck:
        names = ", ".join(sorted({step.object for step in stuck}))
        text = f"irreversible: {len(stuck)} {names}"
        result.append(replace(stuck[0], operation="downgrade", object=names, canonical=text, detail=f"({names})"))
    return result


def _place(node: ast.stmt | ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset + 1
