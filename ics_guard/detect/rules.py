"""The rules: for each id its severity and, in one sentence, the reason. Documentation is made from this table."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from ics_guard.model import Severity


class Rule(NamedTuple):
    """How much a change of this sort can hurt, and why."""

    severity: Severity
    reason: str


_D, _R, _U, _A, _N = Severity  # destructive, risky, unknown, additive, notice

_SQL = {
    "sql.create_table": Rule(_A, "A new table leaves existing data as it is."),
    "sql.create_object": Rule(_A, "A new schema object leaves existing data as it is."),
    "sql.create_index": Rule(_A, "A new index leaves existing data as it is, but building it can hold up writers."),
    "sql.create_unique_index": Rule(_R, "A unique index fails where existing rows hold duplicates."),
    "sql.replace_table": Rule(_D, "Replacing a table drops the one that was there, with its rows."),
    "sql.replace_object": Rule(_R, "The definition that was there is replaced."),
    "sql.create_policy": Rule(_R, "Row security decides which rows are visible, to backups too."),
    "sql.drop_table": Rule(_D, "Every row of the table is lost."),
    "sql.rebuild_table": Rule(_R, "The table is copied and replaced: a column that the copy leaves out is lost."),
    "sql.drop_schema": Rule(_D, "Everything inside is lost."),
    "sql.drop_cascade": Rule(_D, "CASCADE drops whatever depends on the object, columns and tables included."),
    "sql.drop_object": Rule(_R, "What relies on the object stops working."),
    "sql.drop_index": Rule(_R, "Queries can slow down, and a unique index no longer keeps duplicates out."),
    "sql.truncate": Rule(_D, "Every row of the table is lost."),
    "sql.delete_all": Rule(_D, "DELETE without WHERE loses every row of the table."),
    "sql.merge_delete": Rule(_R, "Every row that the source holds too is deleted, and nothing here says how many."),
    "sql.update_all": Rule(_D, "UPDATE without WHERE overwrites a column in every row."),
    "sql.fill_column": Rule(_R, "Every row is written, which can lock the table; the column is new in the same file."),
    "sql.add_column": Rule(_A, "A column that may be empty, or has a default, leaves existing rows valid."),
    "sql.add_required_column": Rule(_R, "NOT NULL without a default fails as soon as the table holds rows."),
    "sql.add_unique_column": Rule(
        _R, "SQLite refuses to add a UNIQUE column, and others fail where all rows get one value."
    ),
    "sql.drop_column": Rule(_D, "Every value of the column is lost."),
    "sql.drop_partition": Rule(_D, "Every row of the partition is lost."),
    "sql.alter_type": Rule(_R, "Existing values are converted: that can fail, round, cut off or rewrite the table."),
    "sql.narrow_type": Rule(_D, "The new type holds less than the old one: values are cut off, rounded or refused."),
    "sql.set_not_null": Rule(_D, "NOT NULL is only to be had by losing or making up what rows with NULL hold."),
    "sql.set_not_null_filled": Rule(_R, "NOT NULL fails where rows hold NULL that the same file did not fill."),
    "sql.relax_column": Rule(_A, "Existing rows stay valid: only what new rows may hold changes."),
    "sql.rename_table": Rule(_R, "Code that still uses the old name stops working."),
    "sql.rename_column": Rule(_R, "Code that still uses the old name stops working."),
    "sql.add_constraint": Rule(
        _R, "The constraint fails where existing rows break it, and checking them locks the table."
    ),
    "sql.drop_constraint": Rule(_R, "Rows that break the constraint can be written from now on."),
    "sql.on_new_table": Rule(_A, "The table is new in the same change, so there are no rows yet."),
    "sql.alter_table": Rule(_R, "The table is altered in a way that can lock or rewrite it, or hide rows."),
    "sql.alter_object": Rule(_R, "An existing schema object is altered."),
    "sql.add_value": Rule(_A, "A new value of an enumerated type leaves existing data as it is."),
    "sql.privilege": Rule(_N, "Privileges, owners and comments change no data and no structure."),
    "sql.do_block": Rule(_R, "A procedural block can do anything the database allows."),
    "sql.call": Rule(_U, "What the called function or procedure does to the schema cannot be seen from here."),
    "sql.dynamic": Rule(_U, "The statement is put together while it runs, so it cannot be read beforehand."),
    "sql.include": Rule(_U, "Another file is run that cannot be seen from here."),
    "sql.writable_schema": Rule(_D, "Writing the schema table directly can make the database unreadable."),
    "sql.unread": Rule(_U, "The statement could not be read."),
    "sql.reworded": Rule(_A, "The same is done in more or fewer statements than before."),
    "sql.statement_removed": Rule(_R, "Databases that ran the statement and databases that did not will differ."),
    "sql.statement_changed": Rule(_R, "Databases that ran the old text keep what it made."),
    "sql.file_deleted": Rule(_R, "Databases made from now on lack what the file created."),
    "sql.rollback_changed": Rule(_R, "The way back down of an existing migration is another one now."),
    "sql.rollback_drops": Rule(_D, "The way back down loses rows or columns if it is ever gone."),
    "sql.rollback_added": Rule(_N, "A file that undoes a migration runs only in a rollback."),
}

_ALEMBIC = {
    "alembic.create_table": _SQL["sql.create_table"],
    "alembic.create_object": _SQL["sql.create_object"],
    "alembic.replace_object": _SQL["sql.replace_object"],
    "alembic.drop_object": _SQL["sql.drop_object"],
    "alembic.drop_table": _SQL["sql.drop_table"],
    "alembic.drop_schema": _SQL["sql.drop_schema"],
    "alembic.rename_table": _SQL["sql.rename_table"],
    "alembic.add_column": _SQL["sql.add_column"],
    "alembic.add_required_column": _SQL["sql.add_required_column"],
    "alembic.drop_column": _SQL["sql.drop_column"],
    "alembic.rename_column": _SQL["sql.rename_column"],
    "alembic.alter_type": _SQL["sql.alter_type"],
    "alembic.narrow_type": _SQL["sql.narrow_type"],
    "alembic.set_not_null": _SQL["sql.set_not_null"],
    "alembic.set_not_null_filled": _SQL["sql.set_not_null_filled"],
    "alembic.relax_column": _SQL["sql.relax_column"],
    "alembic.create_index": _SQL["sql.create_index"],
    "alembic.create_unique_index": _SQL["sql.create_unique_index"],
    "alembic.drop_index": _SQL["sql.drop_index"],
    "alembic.add_constraint": _SQL["sql.add_constraint"],
    "alembic.drop_constraint": _SQL["sql.drop_constraint"],
    "alembic.on_new_table": _SQL["sql.on_new_table"],
    "alembic.rebuild_table": Rule(_R, "The table is copied and replaced: rows that do not fit the new form are lost."),
    "alembic.insert_rows": Rule(_A, "Rows are added; existing ones stay as they are."),
    "alembic.change_rows": Rule(_R, "Existing rows are overwritten or deleted."),
    "alembic.delete_all": _SQL["sql.delete_all"],
    "alembic.update_all": _SQL["sql.update_all"],
    "alembic.dynamic": _SQL["sql.dynamic"],
    "alembic.foreign_code": Rule(_U, "The migration runs code that cannot be seen from here."),
    "alembic.unknown_operation": Rule(_U, "The operation is not one that Alembic itself provides."),
    "alembic.helper": Rule(_U, "A file that is no revision holds operations that revisions call, or runs some itself."),
    "alembic.revision": Rule(_A, "A revision without operations still moves the head."),
    "alembic.revision_deleted": Rule(_R, "Databases at this revision can no longer be upgraded or downgraded."),
    "alembic.graph": Rule(
        _R, "The revision stands at another place in the history: databases may skip or repeat steps."
    ),
    "alembic.merge": Rule(_A, "A merge joins branches of the history into one head again."),
    "alembic.second_head": Rule(_R, "The history has one head more than before: `upgrade head` refuses to choose."),
    "alembic.parent_missing": Rule(_R, "It builds on a revision that is not there: Alembic refuses the whole history."),
    "alembic.duplicate_revision": Rule(_R, "Several files are one revision: Alembic runs only one of them."),
    "alembic.cycle": Rule(_R, "Revisions build on each other in a circle: Alembic refuses the whole history."),
    "alembic.operation_removed": Rule(_R, "Databases that ran the revision and databases that did not will differ."),
    "alembic.operation_changed": Rule(_R, "Databases that ran the old text keep what it made."),
    "alembic.applied_edited": Rule(
        _D, "A protected database has run this revision: it keeps what the old text made, and all others get the new."
    ),
    "alembic.upgrade_changed": Rule(_R, "When or how the operations run is another thing now."),
    "alembic.reworded": Rule(_A, "The code is written in another way; what it does to the schema reads the same."),
    "alembic.downgrade_missing": Rule(_N, "There is no way back down for what the revision does."),
    "alembic.irreversible": Rule(_N, "The way back down refuses: only a restore undoes the revision."),
    "alembic.downgrade_incomplete": Rule(_N, "The way back down leaves something of what the revision does."),
    "alembic.downgrade_drops": Rule(_D, "The way back down loses rows or columns, with what was written since."),
    "alembic.downgrade_changed": Rule(_R, "The way back down of an existing revision is another one now."),
}

_DJANGO = {
    "django.create_model": _SQL["sql.create_table"],
    "django.delete_model": _SQL["sql.drop_table"],
    "django.rename": _SQL["sql.rename_table"],
    "django.add_field": _SQL["sql.add_column"],
    "django.add_required_field": _SQL["sql.add_required_column"],
    "django.remove_field": _SQL["sql.drop_column"],
    "django.alter_field": _SQL["sql.alter_type"],
    "django.add_index": _SQL["sql.create_index"],
    "django.remove_index": _SQL["sql.drop_index"],
    "django.add_constraint": _SQL["sql.add_constraint"],
    "django.remove_constraint": _SQL["sql.drop_constraint"],
    "django.field_state": Rule(_A, "Only what Django knows of the field changes, not its column."),
    "django.state": Rule(_N, "Only what Django knows changes, not the database."),
    "django.run_python": Rule(_U, "The migration runs Python code whose effect on the data cannot be read."),
    "django.change_rows": _ALEMBIC["alembic.change_rows"],
    "django.delete_all": Rule(_D, "Deleting without a filter loses every row of the table."),
    "django.update_all": Rule(_D, "Updating without a filter overwrites a column in every row."),
    "django.narrow_type": _ALEMBIC["alembic.narrow_type"],
    "django.set_not_null": _ALEMBIC["alembic.set_not_null"],
    "django.set_not_null_filled": _ALEMBIC["alembic.set_not_null_filled"],
    "django.on_new_model": _SQL["sql.on_new_table"],
    "django.create_object": _SQL["sql.create_object"],
    "django.remove_object": _SQL["sql.drop_object"],
    "django.irreversible": Rule(_N, "The migration cannot be undone: only a restore goes back."),
    "django.squash": Rule(_A, "A squash stands in for other migrations: only databases that ran none of them run it."),
    "django.second_leaf": Rule(_R, "The app has one end of history more than before: `migrate` refuses to choose."),
    "django.parent_missing": Rule(_R, "It depends on a migration that is not there: Django refuses the whole history."),
    "django.replaced_deleted": Rule(
        _A, "A squash took the place of the migration: databases that ran it stay as they are."
    ),
    "django.unknown_operation": Rule(_U, "The operation is not one that Django itself provides."),
    "django.foreign_code": Rule(_U, "What the migration is, or part of it, comes from code that cannot be seen here."),
    "django.dynamic": Rule(_U, "The SQL comes from somewhere else while it runs, so it cannot be read beforehand."),
    "django.helper": Rule(_U, "A file that is no migration holds code that migrations run, or runs some itself."),
    "django.migration": Rule(_A, "A migration without operations still moves the head."),
    "django.migration_deleted": Rule(_R, "Databases that ran the migration no longer match the history."),
    "django.graph": Rule(
        _R, "The migration stands at another place in the history: databases may skip or repeat steps."
    ),
    "django.operation_removed": _ALEMBIC["alembic.operation_removed"],
    "django.operation_changed": _ALEMBIC["alembic.operation_changed"],
    "django.reworded": _ALEMBIC["alembic.reworded"],
    "django.code_changed": _ALEMBIC["alembic.upgrade_changed"],
}

_OTHER = {
    "model.changed": Rule(_N, "The model changed; a migration may be missing."),
    "unreadable": Rule(_U, "The file changed and could not be read."),
    "config.loosened": Rule(_R, "The gate asks for less than before."),
    "config.moved": Rule(_R, "The data, or its backups, are looked for in another place than before."),
    "config.signer": Rule(_R, "Whoever may sign evidence can open the gate where the data cannot be seen."),
}

RULES: Mapping[str, Rule] = MappingProxyType({**_SQL, **_ALEMBIC, **_DJANGO, **_OTHER})
"""Every rule, by id."""

OF_DOWNGRADES = frozenset(
    {"alembic.downgrade_missing", "alembic.irreversible", "alembic.downgrade_incomplete", "alembic.downgrade_drops"}
)
"""Rules of which no database can tell whether they have been applied: that it has the revision says nothing of it."""

WAY_DOWN = OF_DOWNGRADES | frozenset(
    {
        "alembic.downgrade_changed",
        "sql.rollback_added",
        "sql.rollback_changed",
        "sql.rollback_drops",
        "django.irreversible",
    }
)
"""Rules about the way back down: whatever a database has applied, nobody has gone that way yet."""
