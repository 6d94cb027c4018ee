"""The command line: each command parses, calls one flow and prints what came of it."""

from __future__ import annotations

from ics_guard.cli import gating, protection, records, recovery, setup, vouching
from ics_guard.cli.app import app

__all__ = ["gating", "protection", "records", "recovery", "run", "setup", "vouching"]


def run(arguments: list[str]) -> int:
    """Given a command line, carry it out and return its exit code. Errors pass through as exceptions."""
    result = app(arguments, standalone_mode=False, prog_name="ics-guard")
    return result if isinstance(result, int) else 0
