"""What happened to live rows since a backup: per table, rows added, changed and removed, by key, inside SQLite."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import apsw

from ics_guard.model import TableLoss
from ics_guard.sources.sqlite.facts import count_rows, quoted


def compare_rows(live_image: Path, backup_image: Path) -> tuple[TableLoss, ...]:
    """Given images of the live state and of a backup, return every table that differs, sorted by name.

    Rows are matched by primary key, or by rowid; columns that only one side has do not count. A table that cannot
    be compared (a virtual table) is left out, its shadow tables speak for it; a table only one side has is all
    added or all removed. Raise apsw.Error if an image cannot be read.
    """
    connection = apsw.Connection(_uri(live_image), flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    try:
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        connection.execute("ATTACH ? AS old", (_uri(backup_image),))
        live, old = _tables(connection, "main"), _tables(connection, "old")
        losses = [_compare(connection, table, table in live, table in old) for table in sorted(live | old)]
    finally:
        connection.close()
    return tuple(loss for loss in losses if loss.added or loss.changed or loss.removed)


def _uri(image: Path) -> str:
    return f"file:{quote(str(image))}?immutable=1"


def _tables(connection: apsw.Connection, schema: str) -> set[str]:
    found = connection.execute(
        f"SELECT name FROM {schema}.sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name NOT LIKE 'sqlite_%'"  # noqa: S608
    )
    return {str(name) for (name,) in found}


def _compare(connection: apsw.Connection, table: str, in_live: bool, in_old: bool) -> TableLoss:
    if not in_old:
        return TableLoss(table, count_rows(connection, table), 0, 0)
    if not in_live:
        (row,) = connection.execute(f"SELECT count(*) FROM old.{quoted(table)}").fetchall()  # noqa: S608
        return TableLoss(table, 0, 0, int(str(row[0])))
    live_columns, keys = _columns(connection, "main", table)
    old_columns, old_keys = _columns(connection, "old", table)
    if keys != old_keys:
        return TableLoss(table, None, None, None)
    match = " AND ".join(f"a.{quoted(key)} IS b.{quoted(key)}" for key in keys) or "a.rowid = b.rowid"
    shared = [column for column in live_columns if column in old_columns and column not in keys]
    differs = " OR ".join(f"a.{quoted(column)} IS NOT b.{quoted(column)}" for column in shared) or "0"
    name = quoted(table)

    def count(query: str) -> int:
        (row,) = connection.execute(query).fetchall()
        return int(str(row[0]))

    return TableLoss(
        table,
        added=count(f"SELECT count(*) FROM main.{name} a WHERE NOT EXISTS (SELECT 1 FROM old.{name} b WHERE {match})"),  # noqa: S608
        changed=count(f"SELECT count(*) FROM main.{name} a JOIN old.{name} b ON {match} WHERE {differs}"),  # noqa: S608
        removed=count(
            f"SELECT count(*) FROM old.{name} a WHERE NOT EXISTS (SELECT 1 FROM main.{name} b WHERE {match})"  # noqa: S608
        ),
    )


def _columns(connection: apsw.Connection, schema: str, table: str) -> tuple[list[str], tuple[str, ...]]:
    """Return the columns, and the primary key in its order (() for a table that only has its rowid)."""
    rows = connection.execute("SELECT name, pk FROM pragma_table_info(?, ?)", (table, schema)).fetchall()
    keyed = sorted((int(str(pk)), str(name)) for name, pk in rows if pk)
    return [str(name) for name, _ in rows], tuple(name for _, name in keyed)
