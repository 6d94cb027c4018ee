"""The moment of truth: two lines in Alembic's env.py make every upgrade and downgrade take its way back first.

    from ics_guard.alembic import guard
    guard(context)

Whatever the command, only one that is about to apply steps to a database is asked; `current`, `history`, `check`,
`revision --autogenerate` and `--sql` pass untouched. The backup is made by a child process: this one has the database
open through its own SQLite, and two SQLite libraries in one process break each other's locks.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from alembic.util import CommandError

_REFUSED = "ics-guard: no way back, so nothing was migrated (see above)"


def guard(context: Any, *, scratch: Iterable[str] = ()) -> None:
    """Given Alembic's `context` inside env.py, make its migrations take their way back first.

    `scratch` names databases by gitignore-style patterns of absolute paths that need no way back (test databases).
    Raise `alembic.util.CommandError` when the migration must not run.
    """
    environment = context._proxy
    if getattr(environment, "_migration_context", None) is not None:
        raise CommandError("ics-guard: guard(context) comes too late; put it above context.configure() in env.py")
    options = environment.context_opts
    if "fn" not in options:
        raise CommandError("ics-guard: this version of Alembic hides what it is about to do; please report it")
    options["fn"] = _guarded(options["fn"], Path(environment.script.dir).resolve(), tuple(scratch))


def _guarded(
    plan: Callable[..., Iterable[Any]], folder: Path, scratch: tuple[str, ...]
) -> Callable[..., Iterable[Any]]:
    def guarded(heads: Any, migration: Any) -> Iterable[Any]:
        steps = list(plan(heads, migration))
        moving = [step for step in steps if type(step).__name__ == "RevisionStep"]
        if moving and not migration.as_sql:
            _ask(migration.connection, moving, folder, scratch)
        return steps

    return guarded


def _ask(connection: Any, steps: list[Any], folder: Path, scratch: tuple[str, ...]) -> None:
    dialect = connection.dialect.name
    if dialect != "sqlite":
        raise CommandError(
            f"ics-guard: this version takes the way back of SQLite databases only, not of {dialect}; "
            "call guard() only for SQLite until it does"
        )
    path = _database_file(connection)
    if not path or _is_scratch(path, scratch):
        return
    request = {
        "database": path,
        "folder": str(folder),
        "steps": [{"revision": step.revision.revision, "upgrade": bool(step.is_upgrade)} for step in steps],
    }
    command = [sys.executable, "-P", "-m", "ics_guard", "guard-migration", json.dumps(request)]
    if subprocess.run(command, check=False).returncode:
        raise CommandError(_REFUSED)


def _database_file(connection: Any) -> str:
    """The file of the main database, "" for one in memory."""
    rows = connection.exec_driver_sql("PRAGMA database_list").fetchall()
    return next((str(file) for _, name, file in rows if name == "main" and file), "")


def _is_scratch(path: str, scratch: tuple[str, ...]) -> bool:
    if not scratch:
        return False
    import pathspec  # noqa: PLC0415 - only where patterns are given

    return pathspec.PathSpec.from_lines("gitignore", scratch).match_file(path.lstrip("/"))
