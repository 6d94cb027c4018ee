"""Database files of a work tree: found by their first bytes, read without leaving anything beside them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import apsw

from ics_guard.discover.worktree import WorkTree

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


def find_databases(tree: WorkTree) -> dict[str, str]:
    """Given a work tree, return the paths of its databases, with what is wrong at first sight ("" if nothing).

    A file is one by its first bytes, whatever its name; a file that only has the name is listed with its problem.
    """
    found: dict[str, str] = {}
    for path, size in tree.sizes.items():
        named = path.lower().endswith(_SUFFIXES)
        if size == 0 and named:
            found[path] = "it is empty (0 bytes)"
        elif size >= _SMALLEST and _header(tree.root / path, len(_MAGIC)) == _MAGIC:
            found[path] = ""
        elif named:
            found[path] = "it is not a SQLite database, or it is encrypted"
    return found


def read_database(path: Path) -> Reading:
    """Given a SQLite file, return what it holds. Nothing is changed or created, at the price of not seeing what only
    the WAL of a crashed application holds.
    """
    file = path.resolve()
    try:
        # only while somebody has it open are -wal and -shm both there; else read-only access would create them
        shared = _size(f"{file}-wal") and _size(f"{file}-shm")
        alone = _header(file, 20)[_VERSIONS_AT] == bytes((_WAL_VERSION, _WAL_VERSION)) and not shared
        uri = f"file:{quote(os.fsencode(file))}?mode=ro" + ("&immutable=1" if alone else "")
        connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    except apsw.Error as error:
        return Reading(problem=f"SQLite cannot open it: {error}")
    try:
        connection.set_busy_timeout(500)
        return _read(connection)
    except apsw.Error as error:
        return Reading(problem=f"SQLite cannot read it: {error}")
    finally:
        connection.close()


def _read(connection: apsw.Connection) -> Reading:
    rows = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    tables = frozenset(str(name).lower() for (name,) in rows)
    revisions: tuple[str, ...] = ()
    apps: frozenset[str] = frozenset()
    if "alembic_version" in tables:
        revisions = tuple(sorted(str(one) for (one,) in connection.execute("SELECT version_num FROM alembic_version")))
    if "django_migrations" in tables:
        apps = frozenset(str(app) for (app,) in connection.execute("SELECT DISTINCT app FROM django_migrations"))
    return Reading(tables, revisions, apps)


def _header(file: Path, length: int) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(length)
    except OSError:
        return b""


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - a name beside a name
    except OSError:
        return 0
