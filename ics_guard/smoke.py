"""Smoke checks: the questions that only the team can ask of its own data, as SQL or as a command."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import apsw

from ics_guard.config import Source
from ics_guard.model import Check

_LONGEST_SECONDS = 600
_TAIL = 300


def run_smoke(source: Source, path: Path, root: Path) -> tuple[Check, ...]:
    """Given a source and its live database, ask each smoke check in order and return the results; raise nothing.

    SQL passes when it runs and returns at least one row; a command passes with exit code 0, run by `sh` in `root`.
    """
    return tuple(_sql(smoke.sql, path) if smoke.sql else run_command(smoke.run or "", root) for smoke in source.smoke)


def run_command(command: str, root: Path) -> Check:
    """Given a shell command, run it in `root` and return whether it ended well, with the tail of what it said."""
    began = time.monotonic()
    try:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Check(f"run {command}", False, f"not done after {_LONGEST_SECONDS} s", time.monotonic() - began)
    said = done.stdout.decode(errors="replace").strip()[-_TAIL:]
    detail = "exit 0" if done.returncode == 0 else f"exit {done.returncode}: {said}"
    return Check(f"run {command}", done.returncode == 0, detail, time.monotonic() - began)


def _sql(statement: str, path: Path) -> Check:
    began = time.monotonic()
    connection = apsw.Connection(str(path.resolve()), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(10_000)
        row = connection.execute(statement).fetchone()
        ok, detail = row is not None, f"{row[0]}" if row else "no row came back"
    except UnicodeDecodeError:
        ok, detail = True, "a row came back, with text that is not UTF-8"
    except apsw.Error as error:
        ok, detail = False, str(error)
    finally:
        connection.close()
    return Check(f"sql {statement}", ok, detail, time.monotonic() - began)
