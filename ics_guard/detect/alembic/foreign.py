"""Calls in a migration that are neither a directive nor SQL: what they mean for the schema, if they mean anything."""

from __future__ import annotations

import ast
import builtins
import sys

from ics_guard.detect.alembic.directives import Reading
from ics_guard.detect.python.follow import full_name, is_globals
from ics_guard.detect.python.sqlalchemy_reading import LONGEST_CHAIN, Scope, argument, is_always, keyword
from ics_guard.detect.text import word_set

_LIBRARIES = word_set("sqlalchemy alembic sqlmodel sqlalchemy_utils geoalchemy2 citext pgvector typing_extensions")
_RUNS_CODE = word_set("subprocess importlib runpy sqlite3 ctypes")
_SESSIONS = word_set("Session sessionmaker scoped_session AsyncSession async_sessionmaker")
_RUNNERS = word_set("exec eval __import__")
_FILTERS = word_set("filter filter_by where having join limit")


def made_or_dropped(node: ast.Call, method: str, name: str, scope: Scope) -> Reading | None:
    """Given a call of `create`, `drop_all` and the like on something bound to a database, return what that does."""
    if method in ("create_all", "drop_all") and (node.args or node.keywords):
        rule = "alembic.drop_schema" if method == "drop_all" else "alembic.foreign_code"
        return Reading(rule, method, name.lower() or "metadata")
    if method in ("create", "drop") and (keyword(node, "checkfirst") or _is_bound(node, scope)):
        return _created(node, method, scope)
    return None


def _is_bound(node: ast.Call, scope: Scope) -> bool:
    first = argument(node, 0, "bind")
    if first is None:
        return False
    text = ast.unparse(scope.resolve(first)) + (first.id if isinstance(first, ast.Name) else "")
    return any(word in text.lower() for word in ("bind", "conn", "engine"))


def _created(node: ast.Call, method: str, scope: Scope) -> Reading:
    receiver = scope.resolve(node.func.value) if isinstance(node.func, ast.Attribute) else node
    made = full_name(receiver.func, scope).rpartition(".")[2].lower() if isinstance(receiver, ast.Call) else ""
    thing = scope.name(receiver)
    if made == "enum":
        return Reading(f"alembic.{method}_object", f"{method}_type", thing)
    if made == "table":
        return Reading(f"alembic.{method}_table", f"{method}_table", thing, (), thing)
    return Reading("alembic.dynamic", method, thing)


def by_session(node: ast.Call, method: str, scope: Scope) -> Reading | None:
    """Given a call on an ORM session or query, return what it does to rows: `session.query(X).filter(…).delete()`."""
    if method not in ("delete", "update") or not isinstance(node.func, ast.Attribute):
        return None
    if is_session(node.func.value, scope):
        return Reading("alembic.change_rows", method, "") if method == "delete" else None
    methods, table, at = list[str](), "", scope.resolve(node.func.value)
    for _ in range(LONGEST_CHAIN):
        if not isinstance(at, ast.Call | ast.Attribute):
            break
        if isinstance(at, ast.Attribute):
            methods.append(at.attr)
            table = table or (_table(at.value, scope) if at.attr == "query" else "")
            at = scope.resolve(at.value)
            continue
        filters = isinstance(at.func, ast.Attribute) and at.func.attr in _FILTERS
        if filters and (at.keywords or not all(map(is_always, at.args))):
            methods.append("where")
        if isinstance(at.func, ast.Attribute) and at.func.attr == "query" and at.args:
            table = _table(at.args[0], scope)
        at = at.func
    if "query" not in methods:
        return None
    return Reading("alembic.change_rows" if "where" in methods else f"alembic.{method}_all", method, table)


def _table(node: ast.expr, scope: Scope) -> str:
    """The table of a model: what its class says, else the name of the class."""
    name = scope.name(node)
    return name if "{" not in name else ast.unparse(scope.resolve(node)).rpartition(".")[2].lower()


def is_session(node: ast.expr, scope: Scope) -> bool:
    """Given an expression, return whether it is surely an ORM session."""
    made = scope.resolve(node)
    for _ in range(LONGEST_CHAIN):
        if not isinstance(made, ast.Call):
            break
        if full_name(made.func, scope).rpartition(".")[2] in _SESSIONS:
            return True
        made = scope.resolve(made.func)
    return False


def is_foreign(function: ast.expr, scope: Scope) -> bool:
    """Given what is called, return whether it is code that cannot be seen and may do anything."""
    target = scope.resolve(function)
    name, module = full_name(target, scope), scope.module
    if name.rpartition(".")[2] in _SESSIONS or (isinstance(target, ast.Call) and is_session(target, scope)):
        return True
    if isinstance(target, ast.Subscript) and is_globals(target.value):
        return not (scope.text(target.slice) or "").startswith(("upgrade_", "downgrade_"))  # each is an entry itself
    root = name.partition(".")[0]
    written = target
    for _ in range(LONGEST_CHAIN):
        written = scope.resolve(written.value) if isinstance(written, ast.Attribute) else written
    if not name or not isinstance(written, ast.Name):
        return False
    if written.id not in module.imports:
        familiar = written.id in scope.names or written.id in module.constants or written.id in module.classes
        return isinstance(target, ast.Name) and (
            written.id in _RUNNERS or not (familiar or hasattr(builtins, written.id))
        )
    if name in ("os.system", "os.popen") or root in _RUNS_CODE or name.startswith("alembic.command"):
        return True
    return not root or (root not in _LIBRARIES and root not in sys.stdlib_module_names and root != "__future__")
