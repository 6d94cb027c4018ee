"""One operation of a Django migration: the call that makes it to what it does to the schema and to rows."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace

from ics_guard.detect.django.rows import rows_changed
from ics_guard.detect.operations import Operation
from ics_guard.detect.python.follow import called, full_name
from ics_guard.detect.python.meaning import arguments_meaning
from ics_guard.detect.python.sqlalchemy_reading import Scope, argument, is_constant, keyword
from ics_guard.detect.sql.edit import read_sql
from ics_guard.detect.text import word_set

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
    "AlterConstraint": "state",
    "AlterUniqueTogether": "add_constraint",
    "AlterIndexTogether": "add_index",
    "AlterOrderWithRespectTo": "alter_field",
    "AlterModelOptions": "state",
    "AlterModelManagers": "state",
    "AlterModelTableComment": "state",
    "CreateExtension": "create_object",
    "CreateCollation": "create_object",
    "RemoveCollation": "remove_object",
    "RunPython": "run_python",
}
_TAKEN_BACK = {
    "AlterUniqueTogether": ("unique_together", "remove_constraint"),
    "AlterIndexTogether": ("index_together", "remove_index"),
}
"""What these do when they are given nothing."""
_MODEL_FIRST = ("AddField", "RemoveField", "AlterField", "RenameField")
_NO_COLUMN = ("ManyToManyField", "GeneratedField", "GenericRelation", "GenericForeignKey", "TaggableManager")
_FILLED = ("AutoField", *_NO_COLUMN)
_EMPTY_TEXT = word_set(
    "CharField TextField EmailField SlugField URLField FileField ImageField FilePathField BinaryField"
)
"""Fields that Django fills with nothing where they may be blank (`effective_default` of its schema editor)."""
IRREVERSIBLE = "no_reverse"
"""The operation under which `read_operation` says that a step cannot be undone; the caller joins them."""


def read_operation(scope: Scope, call: ast.Call) -> list[Operation]:
    """Given the call that makes one operation, return what it does, and whether it has no way back."""
    name = operation_name(scope, call)
    if name == "RunSQL":
        return [*_run_sql(scope, call), *_no_reverse(scope, call, name, 1, "reverse_sql")]
    if name == "RunPython":
        return [*_run_python(scope, call), *_no_reverse(scope, call, name, 1, "reverse_code")]
    rule, model, thing = _RULES.get(name, ""), _model(scope, call, name), _object(scope, call, name)
    if name == "AddField":
        rule = "add_required_field" if _is_required(scope, argument(call, 2, "field")) else "add_field"
    elif name in _TAKEN_BACK and _is_empty(scope, argument(call, 1, _TAKEN_BACK[name][0])):
        rule = _TAKEN_BACK[name][1]
    elif name == "CreateModel" and _is_not_made(scope, call):
        rule = "state"
    elif not rule:
        rule = "create_object" if name.endswith("Extension") else "unknown_operation"
    return [_at(call, rule, name, thing, scope, model)]


def operation_name(scope: Scope, call: ast.Call) -> str:
    """Given a call, return the last name of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else full_name(call.func, scope).rpartition(".")[2]


def _has_default(field: ast.Call) -> bool:
    given = [keyword(field, name) for name in ("default", "db_default", "auto_now", "auto_now_add")]
    return any(found is not None and not is_constant(found, None) for found in given)


def _at(call: ast.Call, rule: str, name: str, thing: str, scope: Scope, model: str = "") -> Operation:
    canonical = f"{name} {arguments_meaning(call, scope.module, scope.names)}"
    return Operation(f"django.{rule}", name, thing, canonical, call.lineno, call.col_offset + 1, (), model)


def _model(scope: Scope, call: ast.Call, name: str) -> str:
    by_model = name in _MODEL_FIRST or "Index" in name or "Constraint" in name
    return scope.name(argument(call, 0, "model_name" if by_model else "name"))


def _object(scope: Scope, call: ast.Call, name: str) -> str:
    if name in _MODEL_FIRST:
        second = argument(call, 1, "old_name" if name == "RenameField" else "name")
        return f"{scope.name(argument(call, 0, 'model_name'))}.{scope.name(second)}"
    return scope.name(argument(call, 0, "name") or keyword(call, "model_name") or keyword(call, "old_name"))


def _is_required(scope: Scope, field: ast.expr | None) -> bool:
    """Whether existing rows would lack a value: makemigrations asks for a default, people who write by hand forget."""
    call = scope.resolve(field) if field else None
    if not isinstance(call, ast.Call):
        return True
    kind = operation_name(scope, call)
    empty = is_constant(keyword(call, "blank"), True) and kind in _EMPTY_TEXT
    return not (empty or is_constant(keyword(call, "null"), True) or _has_default(call) or kind.endswith(_FILLED))


def _is_empty(scope: Scope, given: ast.expr | None) -> bool:
    found = scope.resolve(given) if given else None
    if isinstance(found, ast.Call):
        return full_name(found.func, scope) in ("set", "list", "tuple", "frozenset") and not found.args
    listed = isinstance(found, ast.List | ast.Tuple | ast.Set) and not found.elts
    return listed or is_constant(found, None) or (isinstance(found, ast.Dict) and not found.keys)


def _is_not_made(scope: Scope, call: ast.Call) -> bool:
    """A model that Django does not manage, or a proxy, has no table of its own."""
    options = scope.resolve(argument(call, 2, "options") or call)
    if not isinstance(options, ast.Dict):
        return False
    said = {scope.text(key): value for key, value in zip(options.keys, options.values, strict=True) if key}
    return is_constant(said.get("managed"), False) or is_constant(said.get("proxy"), True)


def _run_sql(scope: Scope, call: ast.Call) -> list[Operation]:
    given = argument(call, 0, "sql")
    resolved = scope.resolve(given) if given else None
    if resolved is not None and full_name(resolved, scope).endswith("RunSQL.noop"):
        return []
    listed = resolved.elts if isinstance(resolved, ast.List | ast.Tuple) else [resolved] if resolved else []
    result = list[Operation]()
    for item in listed:
        part = scope.resolve(item)
        if isinstance(part, ast.Tuple | ast.List) and part.elts:  # (sql, parameters)
            part = part.elts[0]
        text = scope.text(part)
        if text is None:
            result.append(_at(call, "dynamic", "RunSQL", "", scope))
        else:
            result += [replace(found, line=call.lineno, column=call.col_offset + 1) for found in read_sql(text)]
    return result or [_at(call, "run_python", "RunSQL", "", scope)]


def _run_python(scope: Scope, call: ast.Call) -> list[Operation]:
    code = argument(call, 0, "code")
    if code is not None and full_name(code, scope).endswith("RunPython.noop"):
        return []
    found = called(code, scope) if code is not None else None
    rows = rows_changed(found[0], scope) if found else []
    return [_at(call, "run_python", "RunPython", scope.name(code), scope), *rows]


def _no_reverse(scope: Scope, call: ast.Call, name: str, place: int, word: str) -> list[Operation]:
    reverse = argument(call, place, word)
    if reverse is not None and not is_constant(scope.resolve(reverse), None):
        return []
    return [Operation("django.irreversible", IRREVERSIBLE, name, name, call.lineno, call.col_offset + 1)]
