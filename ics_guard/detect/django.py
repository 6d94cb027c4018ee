"""Django migrations: two versions of a file to operations, read from `operations` of class Migration."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from ics_guard.detect.django_operations import IRREVERSIBLE, operation_name, read_operation
from ics_guard.detect.operations import Operation, compare, settle, unreadable
from ics_guard.detect.python_follow import bind, bound, called, repeats
from ics_guard.detect.python_meaning import loose_statements, meaning, reached_meaning
from ics_guard.detect.python_plain import as_written
from ics_guard.detect.python_tree import Module, assignments, dotted, parse, reachable
from ics_guard.detect.sqlalchemy_reading import Scope, argument
from ics_guard.detect.text import word_set
from ics_guard.model import Severity

_IDENTITY = ("dependencies", "replaces", "run_before", "initial", "atomic")
_ON_NEW_MODEL = word_set("add_required_field add_constraint alter_field set_not_null set_not_null_filled")
_GROWS = word_set("append extend insert")
_DEEPEST = 12


def detect_django(before: bytes | None, after: bytes | None) -> list[Operation]:
    """Given both versions of a file in a folder of migrations, return what the edit means."""
    old, new = parse(before or b""), parse(after or b"")
    if old is None or new is None:
        return [unreadable(before, after), *(_fresh(new) if new else [])]
    was, now = migration_of(old), migration_of(new)
    if now is None:
        return _helper(old, new) if was is None else [_simple(was, "django.migration_deleted", meaning([was], old))]
    return _fresh(new) if was is None else _edited(old, was, new, now)


def renamed(previous: str, path: str, content: bytes) -> list[Operation]:
    """Given where a file was, where it is and what it holds, return what its new name means: Django goes by it."""
    was, now = PurePosixPath(previous).stem, PurePosixPath(path).stem
    module = parse(content) if was != now else None
    migration = migration_of(module) if module else None
    if migration is None:
        return []
    return [replace(_simple(migration, "django.graph", f"renamed {was} {now}"), object=now, detail=f"(It was {was}.)")]


def migration_of(module: Module) -> ast.ClassDef | None:
    """Given a parsed file, return its class Migration, None if the file is no migration."""
    found = module.classes.get("Migration")
    return found if found and any(dotted(base, module).endswith("Migration") for base in found.bases) else None


def _simple(node: ast.ClassDef, rule: str, canonical: str) -> Operation:
    return Operation(rule, rule.partition(".")[2], "", canonical, node.lineno, node.col_offset + 1)


def _helper(old: Module, new: Module) -> list[Operation]:
    """A file of the folder that is no migration: silent unless migrations may run what stands in it."""
    run = [node for module in (new, old) for node in module.tree.body if _is_run(node)]
    if not run or meaning([old.tree], old) == meaning([new.tree], new):
        return []
    return [Operation("django.helper", "helper", "", f"helper {meaning([new.tree], new)}", run[0].lineno, 1)]


def _is_run(node: ast.stmt) -> bool:
    """Whether this is a function as `RunPython` calls it: `def fill(apps, schema_editor)`."""
    if not isinstance(node, ast.FunctionDef):
        return False
    return [parameter.arg for parameter in node.args.args][:2] == ["apps", "schema_editor"]


def _pinned(operations: list[Operation], module: Module, migration: ast.ClassDef) -> list[Operation]:
    """What could not be read is one thing with the code that it is in."""
    unread = [found for found in operations if found.severity is Severity.UNKNOWN]
    code = _whole(module, migration) if unread else ""
    return [
        replace(found, canonical=f"{found.canonical} in {code}") if found in unread else found for found in operations
    ]


def _fresh(module: Module) -> list[Operation]:
    migration = migration_of(module)
    if migration is None:
        return []
    replaced = assignments(migration.body).get("replaces")
    if isinstance(replaced, ast.List | ast.Tuple) and replaced.elts:
        return [_simple(migration, "django.squash", _whole(module, migration))]
    found = _pinned(settle(_operations(module, migration)), module, migration)
    if any(one.severity is not Severity.NOTICE for one in found if one.operation != "downgrade"):
        return found
    return [_simple(migration, "django.migration", meaning([migration], module)), *found]


def _edited(old: Module, was: ast.ClassDef, new: Module, now: ast.ClassDef) -> list[Operation]:
    if _whole(old, was) == _whole(new, now):
        written = as_written(_reached(new, now), new)
        if as_written(_reached(old, was), old) == written:
            return []
        return [_simple(now, "django.reworded", f"reworded {written}")]
    before, after = assignments(was.body), assignments(now.body)
    difference = compare(
        _operations(old, was),
        _operations(new, now),
        removed="django.operation_removed",
        changed="django.operation_changed",
    )
    result = _pinned(settle(difference), new, now)
    for name in _IDENTITY:
        there = [
            meaning([found] if found else [], module)
            for found, module in ((before.get(name), old), (after.get(name), new))
        ]
        if there[0] != there[1]:
            result.append(_simple(now, "django.graph", f"{name} {there[1]}"))
    return result or [_simple(now, "django.code_changed", _whole(new, now))]


def _reached(module: Module, migration: ast.ClassDef) -> list[ast.AST]:
    names = sorted({node.id for node in ast.walk(migration) if isinstance(node, ast.Name)} - {migration.name})
    return [migration, *reachable(module, names)]


def _whole(module: Module, migration: ast.ClassDef) -> str:
    return reached_meaning([migration, *loose_statements(module)], module)


def _operations(module: Module, migration: ast.ClassDef) -> list[Operation]:
    """What the migration does, judged together: what is new in it has no rows, and one word on what has no way back."""
    steps = _Steps(module).of_body(migration.body, Scope(module), "operations")
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


class _Steps:
    """Operations as they are listed, appended, made by functions of the file, or made in loops."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self._depth = 0

    def of_body(self, body: Iterable[ast.stmt], scope: Scope, listed: str) -> list[Operation]:
        """The operations that statements put into the list of this name ("": into any), or return."""
        result = list[Operation]()
        for node in body:
            result += self._statement(node, scope, listed)
        return result

    def _statement(self, node: ast.stmt, scope: Scope, listed: str) -> list[Operation]:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                bind(target, node.value, scope)
            into = any(isinstance(target, ast.Name) and target.id == listed for target in targets)
            return self.listed(node.value, scope) if into else []
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            return self.listed(node.value, scope) if listed in ("", node.target.id) else []
        if isinstance(node, ast.Return) and node.value is not None:
            return self.listed(node.value, scope)
        if isinstance(node, ast.Expr):
            return self._grown(node.value, scope, listed)
        if isinstance(node, ast.For):
            result = list[Operation]()
            for items in repeats(node.iter, scope):
                bind(node.target, node.target if items is None else items, scope)
                result += self.of_body(node.body, scope, listed)
            return result
        bodies = [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]
        if isinstance(node, ast.If | ast.With | ast.Try | ast.While):
            return [found for inner in bodies for found in self.of_body(inner, scope, listed)]
        return []

    def _grown(self, node: ast.expr, scope: Scope, listed: str) -> list[Operation]:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
            return []
        owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
        if node.func.attr not in _GROWS or (listed and owner != listed):
            return []
        return (self.listed if node.func.attr == "extend" else self.step)(node.args[-1], scope)

    def listed(self, node: ast.expr, scope: Scope) -> list[Operation]:
        """The operations of an expression that makes a list of them."""
        resolved = scope.resolve(node)
        if isinstance(resolved, ast.BinOp) and isinstance(resolved.op, ast.Add):
            return [*self.listed(resolved.left, scope), *self.listed(resolved.right, scope)]
        if isinstance(resolved, ast.IfExp):
            return [*self.listed(resolved.body, scope), *self.listed(resolved.orelse, scope)]
        if isinstance(resolved, ast.ListComp | ast.GeneratorExp):
            return self._comprehended(resolved.elt, resolved.generators, scope)
        if isinstance(resolved, ast.List | ast.Tuple):
            return [found for item in resolved.elts for found in self._item(item, scope)]
        if isinstance(resolved, ast.Call):
            if (
                isinstance(resolved.func, ast.Name)
                and resolved.func.id in ("list", "tuple", "filter")
                and resolved.args
            ):
                return self.listed(resolved.args[-1], scope)
            inside = self._followed(resolved, scope, lists=True)
            if inside is not None:
                return inside
        return [_unknown(node, "operations", scope)]

    def _item(self, node: ast.expr, scope: Scope) -> list[Operation]:
        return self.listed(node.value, scope) if isinstance(node, ast.Starred) else self.step(node, scope)

    def _comprehended(self, made: ast.expr, generators: list[ast.comprehension], scope: Scope) -> list[Operation]:
        if not generators:
            return self.step(made, scope)
        result, inner = list[Operation](), Scope(**vars(scope) | {"names": dict(scope.names)})
        for items in repeats(generators[0].iter, scope):
            bind(generators[0].target, generators[0].target if items is None else items, inner)
            result += self._comprehended(made, generators[1:], inner)
        return result

    def _followed(self, call: ast.Call, scope: Scope, *, lists: bool) -> list[Operation] | None:
        """What a function of the file makes; None if it is none, or leads too deep."""
        found = called(call.func, scope)
        if found is None or self._depth > _DEEPEST or isinstance(found[0], ast.Lambda):
            return None
        self._depth += 1
        inner = scope.inner(bound(*found, call, scope), {})
        result = self.of_body(found[0].body, inner, "") if lists else _One(self).of_body(found[0].body, inner, "")
        self._depth -= 1
        return result or None

    def step(self, node: ast.expr, scope: Scope) -> list[Operation]:
        """The operations of an expression that makes one operation."""
        call = scope.resolve(node)
        if isinstance(call, ast.IfExp):
            return [*self.step(call.body, scope), *self.step(call.orelse, scope)]
        if not isinstance(call, ast.Call):
            return [_unknown(node, "operation", scope)]
        if operation_name(scope, call) == "SeparateDatabaseAndState":
            inner = argument(call, 0, "database_operations")
            state = [
                Operation("django.state", "SeparateDatabaseAndState", "", meaning([call], self.module), *_place(call))
            ]
            return (self.listed(inner, scope) if inner else []) or state
        return self._followed(call, scope, lists=False) or read_operation(scope, call)


class _One(_Steps):
    """A function that makes one operation: what it returns is no list."""

    def __init__(self, outer: _Steps) -> None:
        super().__init__(outer.module)
        self._depth = outer._depth

    def listed(self, node: ast.expr, scope: Scope) -> list[Operation]:
        """The operation that is returned."""
        return self.step(node, scope)


def _unknown(node: ast.expr, operation: str, scope: Scope) -> Operation:
    return Operation("django.unknown_operation", operation, "", meaning([node], scope.module), *_place(node))


def _place(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset + 1
