"""One `op.*` call to one operation: every directive that Alembic provides."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ics_guard.detect.python.sqlalchemy_reading import Scope, argument, column_is_required, is_constant, keyword
from ics_guard.detect.python.sqlalchemy_types import narrows
from ics_guard.detect.rules import RULES
from ics_guard.detect.sql.names import plain
from ics_guard.detect.text import word_set
from ics_guard.model import Effect


class Reading(NamedTuple):
    """What one directive does."""

    rule: str
    operation: str
    object: str
    effects: tuple[Effect, ...] = ()
    table: str = ""
    detail: str = ""


class Directive(NamedTuple):
    """One call, where it stands, and the table of its `batch_alter_table` (None outside of one)."""

    call: ast.Call
    scope: Scope
    batch: str | None

    def name(self, index: int, name: str) -> str:
        """The argument at this place or of this name, as the name of an object; in a batch the table is left out."""
        return self.scope.name(argument(self.call, index - (self.batch is not None), name))

    def given(self, name: str) -> ast.expr | None:
        """What a keyword is given, None where that is None: Alembic takes it for nothing said."""
        found = keyword(self.call, name)
        return None if found is None or is_constant(self.scope.resolve(found), None) else found

    def says(self, name: str, value: bool) -> bool:
        """Whether a keyword is given exactly this."""
        found = keyword(self.call, name)
        return found is not None and is_constant(self.scope.resolve(found), value)

    def table(self, index: int = 0, name: str = "table_name") -> str:
        """The table worked on, with its schema where the call gives one."""
        table = self.batch if self.batch is not None else self.scope.name(argument(self.call, index, name))
        schema = self.scope.text(keyword(self.call, "schema"))
        return plain(f"{schema}.{table}" if schema and self.batch is None else table)


def _create_table(it: Directive) -> Reading:
    table = it.table()
    return Reading("alembic.create_table", "create_table", table, (Effect(f"table:{table}", True),), table)


def _drop_table(it: Directive) -> Reading:
    table = it.table()
    return Reading("alembic.drop_table", "drop_table", table, (Effect(f"table:{table}", False),), table)


def _rename_table(it: Directive) -> Reading:
    old, new = it.table(0, "old_table_name"), it.name(1, "new_table_name")
    new = f"{old.rpartition('.')[0]}.{new}" if "." in old else new
    effects = (Effect(f"table:{old}", False), Effect(f"table:{new}", True))
    return Reading("alembic.rename_table", "rename_table", old, effects, old)


def _add_column(it: Directive) -> Reading:
    table, column = it.table(), it.name(1, "column")
    given = argument(it.call, 1 - (it.batch is not None), "column")
    rule = "alembic.add_required_column" if column_is_required(given, it.scope) else "alembic.add_column"
    return Reading(rule, "add_column", f"{table}.{column}", (Effect(f"column:{table}.{column}", True),), table)


def _drop_column(it: Directive) -> Reading:
    table, column = it.table(), it.name(1, "column_name")
    effects = (Effect(f"column:{table}.{column}", False),)
    return Reading("alembic.drop_column", "drop_column", f"{table}.{column}", effects, table)


def _alter_column(it: Directive) -> Reading:
    table, column = it.table(), it.name(1, "column_name")
    rules, effects, new_name = ["alembic.relax_column"], tuple[Effect, ...](), it.given("new_column_name")
    if it.given("type_"):
        narrow = narrows(it.given("existing_type"), it.given("type_"), it.scope) or _replaces_values(it, column)
        rules.append("alembic.narrow_type" if narrow else "alembic.alter_type")
    if it.given("nullable") and not it.says("nullable", True) and not it.says("existing_nullable", False):
        filled = any(
            it.given(name) and not it.says(name, False) for name in ("server_default", "existing_server_default")
        )
        rules.append("alembic.set_not_null_filled" if filled else "alembic.set_not_null")
    if new_name:
        rules.append("alembic.rename_column")
        new = it.scope.name(new_name)
        effects = (Effect(f"column:{table}.{column}", False), Effect(f"column:{table}.{new}", True))
    worst = min(rules, key=lambda rule: RULES[rule].severity.rank)
    return Reading(worst, "alter_column", f"{table}.{column}", effects, table)


def _replaces_values(it: Directive, column: str) -> bool:
    """Whether PostgreSQL is told to make the new values from something else than the column."""
    using = it.scope.text(it.given("postgresql_using"))
    return using is not None and column not in using.lower()


def _create_index(it: Directive) -> Reading:
    index = it.scope.name(argument(it.call, 0, "index_name"))
    table, unique = it.table(1), keyword(it.call, "unique")
    plainly = unique is None or is_constant(unique, False) or is_constant(unique, None)
    rule = "alembic.create_index" if plainly else "alembic.create_unique_index"
    effects = (Effect(f"index:{index}", True),) if index else ()
    return Reading(rule, "create_index", index, effects, table)


def _drop_index(it: Directive) -> Reading:
    index = it.scope.name(argument(it.call, 0, "index_name"))
    return Reading("alembic.drop_index", "drop_index", index, (Effect(f"index:{index}", False),), it.table(1))


def _add_constraint(it: Directive) -> Reading:
    name = it.scope.name(argument(it.call, 0, "constraint_name"))
    table = it.table(1, "source_table" if keyword(it.call, "source_table") else "table_name")
    thing = f"{table}.{name}" if name else table
    cascades = (it.scope.text(it.given("ondelete")) or "").upper() == "CASCADE"
    detail = "Deleting the row that it refers to deletes the row, from now on." if cascades else ""
    return Reading("alembic.add_constraint", "add_constraint", thing, (), table, detail)


_DROPPED = {
    "foreignkey": "Rows can be left behind that refer to nothing.",
    "unique": "Duplicates can come in, and the constraint cannot be made again over them.",
    "primary": "Rows can come in that nothing tells apart.",
    "check": "Values can come in that it kept out.",
}
"""What can happen to data once a constraint of this type is gone."""


def _drop_constraint(it: Directive) -> Reading:
    name = it.scope.name(argument(it.call, 0, "constraint_name"))
    table = it.table(1)
    detail = _DROPPED.get(it.scope.text(argument(it.call, 2 - (it.batch is not None), "type_")) or "", "")
    return Reading("alembic.drop_constraint", "drop_constraint", f"{table}.{name}", (), table, detail)


def _bulk_insert(it: Directive) -> Reading:
    return Reading("alembic.insert_rows", "bulk_insert", it.table(0, "table"))


def _comment(it: Directive) -> Reading:
    return Reading("sql.privilege", "table_comment", it.table())


DIRECTIVES: Mapping[str, Callable[[Directive], Reading]] = {
    "create_table": _create_table,
    "drop_table": _drop_table,
    "rename_table": _rename_table,
    "add_column": _add_column,
    "drop_column": _drop_column,
    "alter_column": _alter_column,
    "create_index": _create_index,
    "drop_index": _drop_index,
    "create_unique_constraint": _add_constraint,
    "create_foreign_key": _add_constraint,
    "create_check_constraint": _add_constraint,
    "create_primary_key": _add_constraint,
    "create_exclude_constraint": _add_constraint,
    "drop_constraint": _drop_constraint,
    "bulk_insert": _bulk_insert,
    "create_table_comment": _comment,
    "drop_table_comment": _comment,
}
"""Every directive by its name on `op`."""

INERT = word_set(
    "get_bind get_context f inline_literal implementation_for register_operation autocommit_block run_async"
)
"""What else `op` offers that leaves the schema alone."""


def unknown_directive(name: str, it: Directive) -> Reading:
    """Given a directive of some plug-in, return what its name promises (`create_view`, `replace_entity`, …)."""
    thing = it.scope.name(argument(it.call, 0, "name"))
    for verb in ("create", "replace", "drop"):
        if name.startswith(f"{verb}_"):
            return Reading(f"alembic.{verb}_object", name, thing)
    return Reading("alembic.unknown_operation", name, thing)
