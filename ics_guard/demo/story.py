"""Each step is a real command in a real repository; a step that ends otherwise than told fails the demo."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import apsw

from ics_guard.demo import files

_EPISODES = 300
_SHOWN = {"ics-guard": ("-P", "-m", "ics_guard"), "alembic": ("-P", "-m", "alembic")}


class DemoError(Exception):
    """A step did not end as it should: the promise does not hold on this machine."""


@dataclass(frozen=True)
class Stage:
    """Where the demo plays, and who listens: `say` gets lines of narration, `echo` commands and what they print."""

    folder: Path
    say: Callable[[str], None]
    echo: Callable[[str], None]

    @property
    def database(self) -> Path:
        """The data at stake."""
        return self.folder / "data" / "podcast.db"

    def run(self, *command: str, expect: int = 0) -> str:
        """Run a command as a user would type it, show it with its output, and insist on its exit code."""
        self.echo("$ " + " ".join(f'"{word}"' if " " in word else word for word in command))
        program = command[0]
        real = [sys.executable, *_SHOWN[program], *command[1:]] if program in _SHOWN else list(command)
        done = subprocess.run(
            real,
            cwd=self.folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        for line in done.stdout.rstrip().splitlines():
            self.echo(f"  {line}")
        if done.returncode != expect:
            raise DemoError(f"`{' '.join(command)}` ended with {done.returncode} instead of {expect}")
        return done.stdout


def tell(folder: Path | None, say: Callable[[str], None], echo: Callable[[str], None]) -> None:
    """Given a new folder to play in (None: a temporary one, removed afterwards), run the whole story.

    Raise `DemoError` when a step does not end as the promise says, OSError when the folder cannot be used.
    """
    if folder:
        folder.mkdir(parents=True)
        _play(Stage(folder.resolve(), say, echo))
        return
    temporary = Path(tempfile.mkdtemp(prefix="ics-guard-demo-"))
    try:
        _play(Stage(temporary / "podcast", say, echo))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _play(stage: Stage) -> None:
    stage.say("1. A project: Alembic history, a WAL database with full-text search, 300 episodes; and its guard")
    _build(stage)
    stage.run("ics-guard", "init", "--yes")
    stage.run("git", "add", "-A")
    stage.run("git", "commit", "-qm", "podcast archive")
    stage.run("git", "push", "-q", "origin", "main")
    before = contents(stage.database)

    stage.say("2. Work goes on, and a migration that drops a column is committed: held, the backup is out of date")
    _write_episode(stage.database)
    before = contents(stage.database)
    path, text = files.BAD_MIGRATION
    (stage.folder / path).write_text(text, encoding="utf-8")
    stage.run("git", "add", "-A")
    stage.run("git", "commit", "-qm", "drop the notes", expect=1)

    stage.say("3. The one command that mends it, and the same commit and push pass")
    stage.run("ics-guard", "backup")
    stage.run("git", "commit", "-qm", "drop the notes")
    stage.run("git", "push", "-q", "origin", "main")

    stage.say("4. The migration runs; env.py makes sure of the way back first. Then somebody misses the notes")
    stage.run("alembic", "upgrade", "head")
    if contents(stage.database) == before:
        raise DemoError("the migration changed nothing")
    stage.run("ics-guard", "restore", "latest", "--dry-run")

    stage.say("5. Back, with one command; what was there meanwhile is kept as well")
    stage.run("ics-guard", "restore", "latest", "--yes")
    if contents(stage.database) != before:
        raise DemoError("the restored data is not what it was before the migration")
    stage.run("ics-guard", "backup")
    stage.run("git", "revert", "--no-edit", "-n", "HEAD")
    stage.run("git", "commit", "-qm", "the notes stay")

    stage.say("6. Everything is on record, and the record proves itself")
    stage.run("ics-guard", "ledger", "list")
    stage.run("ics-guard", "ledger", "verify")
    stage.run("ics-guard", "status")
    stage.say(f"Every row and every object of the schema is as it was before the migration ({before[:12]}…).")


def contents(database: Path) -> str:
    """Given a database, return a hash over its whole schema and every row: equal only if it holds the same."""
    seen = hashlib.sha256()
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        schema = connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name").fetchall()
        seen.update(repr(schema).encode())
        for kind, name, sql in schema:
            if kind == "table" and "VIRTUAL" not in str(sql):
                quoted = str(name).replace('"', '""')
                for row in connection.execute(f'SELECT * FROM "{quoted}" ORDER BY 1'):  # noqa: S608 - quoted
                    seen.update(repr(row).encode())
    finally:
        connection.close()
    return seen.hexdigest()


def _build(stage: Stage) -> None:
    stage.folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.FILES.items():
        path = stage.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    stage.database.parent.mkdir()
    stage.run("git", "init", "-q", "-b", "main", ".")
    remote = stage.folder.parent / f"{stage.folder.name}-remote.git"
    stage.run("git", "init", "-q", "--bare", str(remote))
    stage.run("git", "remote", "add", "origin", str(remote))
    stage.run("alembic", "upgrade", "head")
    connection = apsw.Connection(str(stage.database))
    try:
        connection.pragma("journal_mode", "wal")
        with connection:
            for number in range(1, _EPISODES + 1):
                connection.execute(
                    "INSERT INTO episodes VALUES (?, ?, ?)", (number, f"Episode {number}", f"Notes of {number}")
                )
                connection.execute(
                    "INSERT INTO segments (episode_id, text) VALUES (?, ?)",
                    (number, f"what was said in {number} " * 30),
                )
    finally:
        connection.close()


def _write_episode(database: Path) -> None:
    connection = apsw.Connection(str(database))
    try:
        connection.execute("INSERT INTO episodes (title, notes) VALUES ('Episode 301', 'the best notes so far')")
    finally:
        connection.close()


def _environment() -> dict[str, str]:
    """No configuration of the user's git, no hook's GIT_* variables, plain output."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {
        **kept,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Demo",
        "GIT_AUTHOR_EMAIL": "demo@example.org",
        "GIT_COMMITTER_NAME": "Demo",
        "GIT_COMMITTER_EMAIL": "demo@example.org",
        "NO_COLOR": "1",
        "COLUMNS": "120",
    }
