"""What an image says of itself: schema, row counts, versions. Read from scratch copies only, never from a live file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import apsw

from ics_guard.model import Facts

_NOT_SCHEMA = "sqlite_stat"
"""ANALYZE rewrites these tables at will; they are no part of what an application calls its schema."""


@contextmanager
def opened(image: Path) -> Iterator[apsw.Connection]:
    """Given an image at rest, yield a connection that trusts nothing in it and leaves no file beside it."""
    uri = f"file:{quote(str(image))}?immutable=1"
    connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    try:
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        yield connection
    finally:
        connection.close()


def read_facts(image: Path, unchecked: Collection[str] = ()) -> Facts:
    """Given an image and the names excused from checks, return its facts. Raise apsw.Error if it cannot be read.

    A table that cannot be counted (a missing module or tokenizer) is listed in `unchecked`, as are the names given.
    """
    with opened(image) as connection:
        rows, unreadable = _count_all(connection, unchecked)
        return Facts(
            schema_sha256=_schema_sha256(connection),
            rows=rows,
            objects=schema_objects(connection),
            revisions=revisions(connection),
            user_version=_number(connection, "user_version"),
            page_size=_number(connection, "page_size"),
            page_count=_number(connection, "page_count"),
            foreign_key_violations=count_foreign_key_violations(connection),
            unchecked=tuple(sorted({*unchecked, *unreadable})),
        )


def revisions(connection: apsw.Connection) -> tuple[str, ...]:
    """Given a database, return the Alembic heads that its alembic_version table holds, sorted; () without one."""
    try:
        found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except apsw.SQLError:
        return ()
    return tuple(sorted(str(version) for (version,) in found))


def schema_objects(connection: apsw.Connection) -> tuple[str, ...]:
    """Given a database, return its schema in the spelling of `model.Effect.object`, sorted, lower-case."""
    objects = []
    for kind, name in connection.execute("SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"):
        objects.append(f"{kind}:{name}".lower())
        if kind in ("table", "view"):
            try:
                columns = connection.execute("SELECT name FROM pragma_table_xinfo(?)", (name,)).fetchall()
            except apsw.Error:  # a virtual table whose module is missing, a view on a table that is gone
                continue
            objects += [f"column:{name}.{column}".lower() for (column,) in columns]
    return tuple(sorted(objects))


def read_live_objects(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Given a live database, return its Alembic heads and its schema objects, from one short read."""
    connection = apsw.Connection(str(path.resolve()), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(5000)
        connection.execute("BEGIN")  # one read transaction, so that both are of one instant
        return revisions(connection), schema_objects(connection)
    finally:
        connection.close()


def quoted(name: object) -> str:
    """Given the name of a table, return it as an SQL identifier."""
    return '"' + str(name).replace('"', '""') + '"'


def count_rows(connection: apsw.Connection, table: str) -> int:
    """Given a table, return how many rows it has. Raise apsw.SQLError if it cannot be read here."""
    (row,) = connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchall()  # noqa: S608 - quoted
    return int(str(row[0]))


def count_foreign_key_violations(connection: apsw.Connection) -> int:
    """Given a database, return how many rows refer to a row that is not there."""
    try:
        return sum(1 for _ in connection.execute("PRAGMA foreign_key_check"))
    except apsw.SQLError:  # "foreign key mismatch": a parent without a unique key; nothing to count
        return -1


def _number(connection: apsw.Connection, pragma: str) -> int:
    return int(str(connection.pragma(pragma)))


def _schema_sha256(connection: apsw.Connection) -> str:
    asked = "SELECT type, name, tbl_name, {} FROM sqlite_schema WHERE name NOT LIKE ? ORDER BY 1, 2, 3, 4"
    names = (f"{_NOT_SCHEMA}%",)
    try:
        statements = connection.execute(asked.format("coalesce(sql, '')"), names).fetchall()
    except UnicodeDecodeError:  # a comment or a default in another encoding, as old tools leave them
        statements = connection.execute(asked.format("hex(coalesce(sql, ''))"), names).fetchall()
    return hashlib.sha256(json.dumps(statements).encode()).hexdigest()


def _count_all(connection: apsw.Connection, unchecked: Collection[str]) -> tuple[dict[str, int], list[str]]:
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    rows: dict[str, int] = {}
    unreadable = []
    for (name,) in names:
        if name in unchecked:
            continue
        try:
            rows[str(name)] = count_rows(connection, str(name))
        except apsw.SQLError:
            unreadable.append(str(name))
    return rows, unreadable
