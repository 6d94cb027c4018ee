"""The command line: each command parses, calls one flow and prints what came of it."""

from ics_guard.cli.app import run

__all__ = ["run"]
