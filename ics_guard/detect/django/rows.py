"""What the Python code of a Django migration does to rows and schema, as far as its calls tell."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ics_guard.detect.operations import Operation
from ics_guard.detect.python.follow import bind, called, full_name
from ics_guard.detect.python.meaning import meaning
from ics_guard.detect.python.sqlalchemy_reading import Scope
from ics_guard.detect.python.tree import Function
from ics_guard.detect.sql.edit import read_sql
from ics_guard.detect.text import word_set

_FILTERS = word_set("filter exclude get first last earliest latest in_bulk get_or_create none")
_MANAGERS = word_set("objects _default_manager _base_manager")
_EDITOR = {
    "delete_model": "django.delete_model",
    "remove_field": "django.remove_field",
    "create_model": "django.create_model",
    "add_field": "django.add_required_field",
    "alter_field": "django.alter_field",
    "alter_db_table": "django.rename",
    "add_index": "django.add_index",
    "remove_index": "django.remove_index",
    "add_constraint": "django.add_constraint",
    "remove_constraint": "django.remove_constraint",
}
"""Methods of a schema editor."""


def rows_changed(function: Function | ast.Lambda, scope: Scope) -> list[Operation]:
    """Given a function of a migration's file, return what it, and every function of the file it calls, surely does."""
    return list(_in_function(function, scope, []))


def _in_function(function: Function | ast.Lambda, scope: Scope, entered: list[ast.AST]) -> Iterator[Operation]:
    if function in entered:
        return
    entered.append(function)
    inner = scope.inner({}, {})
    body: list[ast.AST] = [function.body] if isinstance(function, ast.Lambda) else list(function.body)
    for node in (found for statement in body for found in _in_order(statement)):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                bind(target, node.value, inner)
        elif isinstance(node, ast.Call):
            yield from _call(node, inner)
            followed = called(node.func, inner)
            if followed is not None:
                yield from _in_function(followed[0], inner, entered)


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    """The node and what stands in it, assignments after what is assigned."""
    late = isinstance(node, ast.Assign)
    if not late:
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)
    if late:
        yield node


def _call(node: ast.Call, scope: Scope) -> Iterator[Operation]:
    if not isinstance(node.func, ast.Attribute):
        return
    method, line, column = node.func.attr, node.lineno, node.col_offset + 1
    canonical = meaning([node], scope.module, scope.names)
    if method in ("delete", "update", "_raw_delete"):
        verb = "update" if method == "update" else "delete"
        managed, filtered, model = _chain(node.func.value, scope)
        if managed and not filtered:
            yield Operation(f"django.{verb}_all", verb, model, canonical, line, column)
        elif managed or (verb == "delete" and not node.args):
            yield Operation("django.change_rows", verb, model, canonical, line, column)
    elif method in _EDITOR and "editor" in ast.unparse(node.func.value):
        thing = _model(scope.resolve(node.args[0]), scope) if node.args else ""
        yield Operation(_EDITOR[method], method, thing, canonical, line, column)
    elif method in ("execute", "executescript") and node.args:
        text = scope.text(node.args[0])
        for found in read_sql(text) if text is not None else ():
            yield Operation(found.rule, found.operation, found.object, found.canonical, line, column, (), found.table)


def _chain(node: ast.expr, scope: Scope) -> tuple[bool, bool, str]:
    """Whether a query set begins at a manager, whether anything narrows it, and the model it is of."""
    managed, filtered, at = False, False, scope.resolve(node)
    for _ in range(50):
        if isinstance(at, ast.Subscript):
            filtered, at = True, scope.resolve(at.value)
        elif isinstance(at, ast.Call):
            given = bool(at.args or at.keywords)
            if isinstance(at.func, ast.Attribute):
                filtered = filtered or (
                    at.func.attr in _FILTERS and (given or at.func.attr not in ("filter", "exclude"))
                )
            if full_name(at.func, scope).endswith("get_model") or not isinstance(at.func, ast.Attribute):
                break
            if at.func.attr == "get_model":
                break
            at = scope.resolve(at.func.value)
        elif isinstance(at, ast.Attribute):
            managed = managed or at.attr in _MANAGERS
            at = scope.resolve(at.value)
        else:
            break
    return managed, filtered, _model(at, scope)


def _model(node: ast.expr, scope: Scope) -> str:
    """A model by name: `apps.get_model("app", "Show")`, or a class that is imported."""
    named = node.args[-1] if isinstance(node, ast.Call) and node.args else node
    return scope.name(named).rpartition(".")[2].strip("{}").lower()
