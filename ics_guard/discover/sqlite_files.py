"""Database files of a work tree: found by their first bytes, read without leaving anything beside them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import apsw

_MAGIC = b"SQLite format 3\0"
_SMALLEST = 512
_SUFFIXES = (".db", ".sqlite", ".sqlite3", ".db3")
_WAL_VERSION = 2
_VERSIONS_AT = slice(18, 20)


@dataclass(frozen=True)
class Reading:
    """What a database says of itself: its tables, lower-case, and the migrations it has had. `problem`: why nothing."""

    tables: frozenset[str] = frozenset()
    revisions: tuple[str, ...] = ()
    django_apps: frozenset[str] = frozenset()
    problem: str = ""


def find_databases(root: Path, sizes: Mapping[str, int]) -> dict[str, str]:
    """Given files below `root` with their bytes, return the databases, each with what is wrong at first sight, or "".

    A file is one by its first bytes, whatever its name; a file that only has the name is listed with its problem.
    """
    found: dict[str, str] = {}
    for path, size in sizes.items():
        named = path.lower().endswith(_SUFFIXES)
        if size == 0 and named:
            found[path] = "it is empty (0 bytes)"
        elif named or size >= _SMALLEST:
            trouble = _trouble_with(root / path)
            if named or not trouble:
                found[path] = trouble
    return found


def read_database(path: Path) -> Reading:
    """Given a SQLite file, return what it holds. Nothing is changed or created.

    What a crashed application left in a WAL or a journal is not settled here: for telling whose database it is, the
    main file will do.
    """
    file = path.resolve()
    try:
        # only while somebody has it open are -wal and -shm both there; else read-only access would create them
        shared = _size(f"{file}-wal") and _size(f"{file}-shm")
        alone = _header(file)[_VERSIONS_AT] == bytes((_WAL_VERSION, _WAL_VERSION)) and not shared
        try:
            return _read(file, immutable=alone)
        except apsw.ReadOnlyError:  # a hot journal, which only a writer may roll back
            return _read(file, immutable=True)
    except (apsw.Error, OSError) as error:
        return Reading(problem=f"SQLite cannot read it: {error}")


def _read(file: Path, *, immutable: bool) -> Reading:
    uri = f"file:{quote(os.fsencode(file))}?mode=ro" + ("&immutable=1" if immutable else "")
    connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    try:
        connection.set_busy_timeout(500)
        return _reading(connection)
    finally:
        connection.close()


def _reading(connection: apsw.Connection) -> Reading:
    rows = list(connection.execute("SELECT lower(name), lower(sql) FROM sqlite_schema WHERE type = 'table'"))
    virtual = tuple(f"{name}_" for name, sql in rows if str(sql).startswith("create virtual table"))
    # what full-text search and the like keep for themselves says nothing about whose schema it is
    tables = frozenset(str(name) for name, _ in rows if not str(name).startswith(("sqlite_", *virtual)))
    revisions: tuple[str, ...] = ()
    apps: frozenset[str] = frozenset()
    if "alembic_version" in tables:
        revisions = tuple(sorted(str(one) for (one,) in connection.execute("SELECT version_num FROM alembic_version")))
    if "django_migrations" in tables:
        apps = frozenset(str(app) for (app,) in connection.execute("SELECT DISTINCT app FROM django_migrations"))
    return Reading(tables, revisions, apps)


def _trouble_with(file: Path) -> str:
    try:
        header = _header(file)
    except OSError as error:
        return f"it cannot be opened: {error.strerror}"
    return "" if header.startswith(_MAGIC) else "it is not a SQLite database, or it is encrypted"


def _header(file: Path) -> bytes:
    with file.open("rb", buffering=0) as stream:
        return stream.read(_VERSIONS_AT.stop)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - a name beside a name
    except OSError:
        return 0
