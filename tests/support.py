"""Real databases and real second processes for the tests."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SCHEMA = """
CREATE TABLE episodes (id INTEGER PRIMARY KEY, title TEXT NOT NULL, duration REAL);
CREATE TABLE segments (id INTEGER PRIMARY KEY, episode_id INTEGER NOT NULL REFERENCES episodes(id), text TEXT);
CREATE INDEX idx_segments_episode ON segments(episode_id);
CREATE VIRTUAL TABLE segments_fts USING fts5(text, content='segments', content_rowid='id');
CREATE TRIGGER segments_ai AFTER INSERT ON segments BEGIN
    INSERT INTO segments_fts(rowid, text) VALUES (new.id, new.text);
END;
"""


def make_database(path: Path, *, wal: bool = True, rows: int = 200, page_size: int = 4096) -> Path:
    """A database with a foreign key, an index, FTS5 and a trigger."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA page_size={page_size}")
        connection.execute(f"PRAGMA journal_mode={'WAL' if wal else 'DELETE'}")
        connection.executescript(SCHEMA)
        add_rows(connection, rows)
    return path


def add_rows(connection: sqlite3.Connection, count: int) -> None:
    (start,) = connection.execute("SELECT coalesce(max(id), 0) FROM episodes").fetchone()
    for number in range(start + 1, start + 1 + count):
        connection.execute("INSERT INTO episodes VALUES (?, ?, ?)", (number, f"episode {number}", number * 1.5))
        text = f"what was said in {number} " * 20
        connection.execute("INSERT INTO segments (episode_id, text) VALUES (?, ?)", (number, text))
    connection.commit()


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, timeout=20)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def query(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=20)) as connection:
        return list(connection.execute(statement).fetchall())


def dump(path: Path) -> list[str]:
    """Everything in a database as SQL text: two that dump the same hold the same."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=20)) as connection:
        return list(connection.iterdump())


def to_zstd(content: bytes) -> bytes:
    return bytes(zstd.compress(content))


def unzstd(content: bytes) -> bytes:
    return bytes(zstd.decompress(content))


WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
print("ready", flush=True)
number = 0
while True:
    number += 1
    connection.execute("INSERT INTO episodes (title, duration) VALUES (?, ?)", (f"written {number}", number))
"""

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
print("ready", flush=True)
for line in sys.stdin:
    print(connection.execute(line).fetchall(), flush=True)
"""


@contextmanager
def child(program: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A second process with the database open: WRITER commits all the time, HOLDER answers SQL line by line."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()


def ask(process: subprocess.Popen[str], statement: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(statement + "\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def corrupt_page(path: Path, offset: int = 0) -> None:
    """Overwrite the interior of a page that belongs to a table, header untouched."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'segments'").fetchone()
    with path.open("r+b") as stream:
        stream.seek((root - 1) * page_size + offset)
        stream.write(b"\xde\xad\xbe\xef" * 64)


def corrupt_header(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.write(b"no database here")


def leave_hot_journal(path: Path) -> None:
    """Die in the middle of a transaction that has already spilled into the file."""
    program = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size=1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE segments SET text = 'half done ' || text")
os._exit(9)
"""
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode == 9
    assert path.with_name(path.name + "-journal").stat().st_size > 512


CONFIG = """\
version = 1

[watch]
sql = ["migrations/*.sql"]

[env.local]
store = "backups"

[env.local.sources.db]
kind = "sqlite"
path = "data/app.db"
"""


def git(folder: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=folder, check=check, capture_output=True, text=True)


def make_repository(folder: Path, *, wal: bool = True, rows: int = 200, config: str = CONFIG) -> Path:
    """A repository with one commit, a configuration and a live, ignored database at data/app.db."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main", ".")
    (folder / "ics-guard.toml").write_text(config)
    (folder / ".gitignore").write_text("data/\nbackups/\n")
    (folder / "migrations").mkdir()
    (folder / "migrations" / "0001.sql").write_text("CREATE TABLE episodes (id INTEGER PRIMARY KEY);\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first", "--no-verify")
    if rows:
        make_database(folder / "data" / "app.db", wal=wal, rows=rows)
    return folder


def ics_guard(folder: Path, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would, in a folder."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "ics_guard", *arguments],
        cwd=folder,
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


_ON_A_DISK = (
    'mount -t tmpfs -o "$1" tmpfs "$2" && disk="$2" && shift 2 && { "$@"; code=$?; }; ls -AR "$disk"; exit $code'
)


def on_a_disk(folder: Path, options: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command while a disk of its own is mounted on `folder`; what is on it afterwards follows on stdout.

    In a mount namespace of its own, so that no privilege is needed and nothing stays mounted. `options` are those of
    tmpfs: `size=64k`, `ro`.
    """
    folder.mkdir(exist_ok=True)
    namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _ON_A_DISK, "sh"]
    return subprocess.run(
        [*namespace, options, str(folder), *command], cwd=folder.parent, capture_output=True, text=True, check=False
    )
