"""What a migration executes: SQL text by the SQL reader, SQLAlchemy expressions by the methods they are made with."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

from ics_guard.detect.operations import Operation
from ics_guard.detect.python.follow import full_name
from ics_guard.detect.python.meaning import meaning
from ics_guard.detect.python.sqlalchemy_reading import LONGEST_CHAIN, Scope, argument, is_always
from ics_guard.detect.python.tree import dotted
from ics_guard.detect.sql.places import source_places
from ics_guard.detect.sql.read import read_statement
from ics_guard.detect.sql.split import Statement, split
from ics_guard.detect.text import word_set

EXECUTES = word_set("execute exec_driver_sql executemany executescript scalar scalars stream")
"""Methods, of whatever connection, that run what they are given."""

_DDL_ELEMENTS = {
    "DropTable": "alembic.drop_table",
    "DropSchema": "alembic.drop_schema",
    "CreateTable": "alembic.create_table",
    "CreateIndex": "alembic.create_index",
    "DropIndex": "alembic.drop_index",
    "AddConstraint": "alembic.add_constraint",
    "DropConstraint": "alembic.drop_constraint",
    "CreateSequence": "alembic.create_object",
    "CreateSchema": "alembic.create_object",
    "DropSequence": "alembic.drop_object",
}
_COPIED_IN = re.compile(r"copy (?!\()[^()]+(?:\([^()]*\) )?from\b")
"""`COPY t FROM …`, which `COPY t TO …` and `COPY (SELECT … FROM t) TO …` are not."""
_QUERIES = frozenset({"select", "exists", "count", "query", "values", "literal"})


def executed(call: ast.Call, scope: Scope) -> list[Operation]:
    """Given a call of one of `EXECUTES`, return the operations of what it runs; what cannot be read says so."""
    given = argument(call, 0, "sqltext") or argument(call, 0, "statement")
    if given is None:
        return []
    text, resolved = scope.text(given), scope.resolve(given)
    if text is None and isinstance(resolved, ast.IfExp):
        either = [ast.copy_location(ast.Call(call.func, [one], []), call) for one in (resolved.body, resolved.orelse)]
        return [found for one in either for found in executed(one, scope)]
    if text is None:
        return _expression(call, resolved, scope)
    operations = [found for statement in split(text) for found in read_statement(statement) or _rows(statement)]
    places = source_places(((found.line, found.column) for found in operations), text, given, call, scope)
    result = list[Operation]()
    for found in operations:
        line, column = places[found.line, found.column]
        result.append(replace(found, line=line, column=column))
    return result


def _rows(statement: Statement) -> list[Operation]:
    """Rows that a migration writes matter too: nobody runs it twice."""
    first = statement.words[0]
    verbs = set(statement.words) if first == "with" else {first}
    if verbs & {"update", "delete", "replace", "merge"}:
        rule = "alembic.change_rows"
    elif "insert" in verbs or _COPIED_IN.match(statement.canonical):
        rule = "alembic.insert_rows"
    else:
        return []
    return [Operation(rule, first, "", statement.canonical, statement.line, statement.column)]


def _expression(call: ast.Call, given: ast.expr, scope: Scope) -> list[Operation]:
    """An SQLAlchemy expression: `table.update().where(…)`, `sa.delete(table)`, `CreateSequence(…)`."""
    methods, table, node = [], "", given
    for _ in range(LONGEST_CHAIN):
        if not isinstance(node, ast.Call):
            break
        function = node.func
        called = full_name(function, scope).rpartition(".")[2]
        called = function.attr if isinstance(function, ast.Attribute) else called
        if called != "where" or not all(map(is_always, node.args)):
            methods.append(called)
        table = scope.name(node.args[0]) if node.args else table
        free = not isinstance(function, ast.Attribute) or dotted(function, scope.module).startswith("sqlalchemy.")
        node = scope.resolve(function.value) if isinstance(function, ast.Attribute) and not free else function
        if not free and not isinstance(node, ast.Call):
            table = scope.name(node)
    canonical = f"execute {meaning([given], scope.module, {**scope.module.constants, **scope.names})}"
    rule, operation = _rule(methods)
    if rule is None:
        return []
    return [Operation(rule, operation, table, canonical, call.lineno, call.col_offset + 1)]


def _rule(methods: list[str]) -> tuple[str | None, str]:
    for method in methods:
        if method in _DDL_ELEMENTS:
            return _DDL_ELEMENTS[method], "execute"
    for verb in ("delete", "update"):
        if verb in methods:
            filtered = "where" in methods or "filter" in methods
            return ("alembic.change_rows" if filtered else f"alembic.{verb}_all"), verb
    if "insert" in methods:
        return "alembic.insert_rows", "insert"
    if _QUERIES.intersection(methods):
        return None, ""
    return "alembic.dynamic", "execute"
