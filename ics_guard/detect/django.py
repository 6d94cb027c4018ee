"""Django migrations: two versions of a file to operations, read from `operations` of class Migration."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from ics_guard.detect.operations import Operation, compare, settle, unreadable
from ics_guard.detect.python_meaning import meaning
from ics_guard.detect.python_tree import Module, assignments, dotted, parse, reachable
from ics_guard.detect.sql import read_sql
from ics_guard.detect.sqlalchemy_reading import Scope, argument, is_constant, keyword

_RULES: Mapping[str, str] = {
    "CreateModel": "create_model",
    "DeleteModel": "delete_model",
    "RenameModel": "rename",
    "RenameField": "rename",
    "RenameIndex": "rename",
    "AlterModelTable": "rename",
    "RemoveField": "remove_field",
    "AlterField": "alter_field",
    "AddIndex": "add_index",
    "AddIndexConcurrently": "add_index",
    "RemoveIndex": "remove_index",
    "RemoveIndexConcurrently": "remove_index",
    "AddConstraint": "add_constraint",
    "AddConstraintNotValid": "add_constraint",
    "ValidateConstraint": "add_constraint",
    "RemoveConstraint": "remove_constraint",
    "AlterUniqueTogether": "add_constraint",
    "AlterIndexTogether": "add_index",
    "AlterOrderWithRespectTo": "alter_field",
    "AlterModelOptions": "state",
    "AlterModelManagers": "state",
    "AlterModelTableComment": "state",
    "RunPython": "run_python",
}
_IDENTITY = ("dependencies", "replaces", "run_before", "initial", "atomic")
_MODEL_FIRST = ("AddField", "RemoveField", "AlterField", "RenameField")


def detect_django(before: bytes | None, after: bytes | None) -> list[Operation]:
    """Given both versions of a file in a folder of migrations, return what the edit means."""
    old, new = parse(before or b""), parse(after or b"")
    if old is None or new is None:
        return [unreadable(before, after), *(_fresh(new) if new else [])]
    was, now = _migration(old), _migration(new)
    if now is None:
        return [] if was is None else [_simple(was, "django.migration_deleted", meaning([was], old))]
    return _fresh(new) if was is None else _edited(old, was, new, now)


def _migration(module: Module) -> ast.ClassDef | None:
    found = module.classes.get("Migration")
    return found if found and any(dotted(base, module).endswith("Migration") for base in found.bases) else None


def _simple(node: ast.ClassDef, rule: str, canonical: str) -> Operation:
    return Operation(rule, rule.partition(".")[2], "", canonical, node.lineno, node.col_offset + 1)


def _fresh(module: Module) -> list[Operation]:
    migration = _migration(module)
    if migration is None:
        return []
    found = settle(_operations(module, migration))
    return found or [_simple(migration, "django.migration", meaning([migration], module))]


def _edited(old: Module, was: ast.ClassDef, new: Module, now: ast.ClassDef) -> list[Operation]:
    if _whole(old, was) == _whole(new, now):
        return []
    before, after = assignments(was.body), assignments(now.body)
    result = settle(
        compare(
            _operations(old, was),
            _operations(new, now),
            removed="django.operation_removed",
            changed="django.operation_changed",
        )
    )
    for name in _IDENTITY:
        there = [
            meaning([found] if found else [], module)
            for found, module in ((before.get(name), old), (after.get(name), new))
        ]
        if there[0] != there[1]:
            result.append(_simple(now, "django.graph", f"{name} {there[1]}"))
    return result or [_simple(now, "django.code_changed", _whole(new, now))]


def _whole(module: Module, migration: ast.ClassDef) -> str:
    names = sorted({node.id for node in ast.walk(migration) if isinstance(node, ast.Name)} - {migration.name})
    return meaning([migration, *reachable(module, names)], module)


def _operations(module: Module, migration: ast.ClassDef) -> list[Operation]:
    scope = Scope(module)
    listed = assignments(migration.body).get("operations")
    result = [] if listed is None else _listed(scope, listed)
    for node in migration.body:
        if isinstance(node, ast.AugAssign | ast.If | ast.For | ast.Try | ast.With):
            result.append(_at(node, "django.unknown_operation", "operations", "", meaning([node], module)))
    return result


def _at(node: ast.stmt | ast.expr, rule: str, operation: str, thing: str, canonical: str) -> Operation:
    return Operation(rule, operation, thing, canonical, node.lineno, node.col_offset + 1)


def _listed(scope: Scope, node: ast.expr) -> list[Operation]:
    resolved = scope.resolve(node)
    if isinstance(resolved, ast.BinOp) and isinstance(resolved.op, ast.Add):
        return [*_listed(scope, resolved.left), *_listed(scope, resolved.right)]
    if not isinstance(resolved, ast.List | ast.Tuple):
        return [_at(node, "django.unknown_operation", "operations", "", meaning([node], scope.module))]
    return [found for item in resolved.elts for found in _operation(scope, item)]


def _operation(scope: Scope, node: ast.expr) -> list[Operation]:
    call = scope.resolve(node)
    if not isinstance(call, ast.Call):
        return [_at(node, "django.unknown_operation", "operation", "", meaning([node], scope.module))]
    called = (
        call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func, scope.module).rpartition(".")[2]
    )
    if called == "SeparateDatabaseAndState":
        inner = argument(call, 0, "database_operations")
        state = [_at(call, "django.state", called, "", meaning([call], scope.module))]
        return (_listed(scope, inner) if inner else []) or state
    if called == "RunSQL":
        return _run_sql(scope, call)
    canonical, thing = meaning([call], scope.module), _object(scope, call, called)
    if called == "AddField":
        rule = "add_required_field" if _is_required(scope, argument(call, 2, "field")) else "add_field"
    else:
        rule = _RULES.get(called, "unknown_operation")
    return [_at(call, f"django.{rule}", called, thing, canonical)]


def _object(scope: Scope, call: ast.Call, called: str) -> str:
    if called in _MODEL_FIRST:
        second = argument(call, 1, "old_name" if called == "RenameField" else "name")
        return f"{scope.name(argument(call, 0, 'model_name'))}.{scope.name(second)}"
    return scope.name(argument(call, 0, "name") or keyword(call, "model_name") or keyword(call, "old_name"))


def _is_required(scope: Scope, field: ast.expr | None) -> bool:
    """Whether existing rows would lack a value: makemigrations asks for a default, people who write by hand forget."""
    call = scope.resolve(field) if field else None
    if not isinstance(call, ast.Call):
        return True
    kind = call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func, scope.module)
    given = any(keyword(call, name) is not None for name in ("default", "db_default", "auto_now", "auto_now_add"))
    filled = given or is_constant(keyword(call, "null"), True)
    return not filled and not kind.endswith(("ManyToManyField", "AutoField", "GeneratedField", "GenericRelation"))


def _run_sql(scope: Scope, call: ast.Call) -> list[Operation]:
    given = argument(call, 0, "sql")
    resolved = scope.resolve(given) if given else None
    listed = resolved.elts if isinstance(resolved, ast.List | ast.Tuple) else [resolved] if resolved else []
    result, canonical = list[Operation](), meaning([call], scope.module)
    for item in listed:
        part = scope.resolve(item)
        if isinstance(part, ast.Tuple | ast.List) and part.elts:  # (sql, parameters)
            part = part.elts[0]
        text = scope.text(part)
        if text is None:
            result.append(_at(call, "django.unknown_operation", "RunSQL", "", canonical))
            continue
        for found in read_sql(text):
            result.append(
                Operation(
                    found.rule,
                    found.operation,
                    found.object,
                    found.canonical,
                    *_place(call),
                    found.effects,
                    found.table,
                )
            )
    return result or [_at(call, "django.run_python", "RunSQL", "", canonical)]


def _place(call: ast.Call) -> tuple[int, int]:
    return call.lineno, call.col_offset + 1
