"""A verdict as GitHub's workflow commands: an annotation on the line of each change, and the reasons as errors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ics_guard.model import Change, Decision, Reason
from ics_guard.report.levels import (
    ERROR,
    NOTE,
    WARNING,
    counted,
    headline,
    level_of,
    shortened,
    verdict_on,
    worst_first,
)
from ics_guard.report.texts import printable

MOST_OF_A_LEVEL = 10
"""GitHub shows so many annotations of each level a step, and drops the rest without a word."""

_COMMANDS = {ERROR: "error", WARNING: "warning", NOTE: "notice"}
_MOST_CHARACTERS = 1000


def check_annotations(changes: Sequence[Change]) -> str:
    """Given the changes of a diff, return the lines that annotate them, and one that counts them."""
    return _lines(f"ics-guard: {counted(changes)}", changes, None)


def gate_annotations(decision: Decision, what: str) -> str:
    """Given a decision on `what` ("change", "deploy"), return one line with the verdict, then the annotations.

    Its reasons are annotated first, those that block as errors; then its changes, worst first.
    """
    return _lines(verdict_on(what, decision), decision.changes, decision)


def _lines(said: str, changes: Sequence[Change], decision: Decision | None) -> str:
    by_level: dict[str, list[str]] = defaultdict(list)
    for reason in decision.reasons if decision else ():
        level = ERROR if reason.blocking else NOTE
        by_level[level].append(_of_reason(level, reason))
    for change in worst_first(changes):
        level = level_of(change, decision)
        by_level[level].append(_of_change(level, change))
    lines = [said]
    for level in _COMMANDS:
        lines += _at_most(level, by_level[level])
    return "\n".join(lines) + "\n"


def _at_most(level: str, lines: list[str]) -> list[str]:
    if len(lines) <= MOST_OF_A_LEVEL:
        return lines
    shown = lines[: MOST_OF_A_LEVEL - 1]
    rest = len(lines) - len(shown)
    said = f"and {rest} more like these: GitHub shows {MOST_OF_A_LEVEL} a step; the job summary lists more"
    return [*shown, _command(level, {"title": "ics-guard"}, said)]


def _of_change(level: str, change: Change) -> str:
    where = {"file": printable(change.path), "line": str(change.line), "col": str(change.column)}
    sources = f" Sources: {shortened(', '.join(change.sources))}." if change.sources else ""
    said = f"{headline(change)}: {shortened(change.reason)} ({change.rule}){sources}"
    return _command(level, {**where, "title": f"ics-guard: {change.severity}"}, said)


def _of_reason(level: str, reason: Reason) -> str:
    fix = f"\nDo: {shortened(reason.fix, _MOST_CHARACTERS)}" if reason.fix and reason.blocking else ""
    said = shortened(reason.message, _MOST_CHARACTERS) + fix
    return _command(level, {"title": f"ics-guard: {reason.code}"}, said)


def _command(level: str, properties: dict[str, str], message: str) -> str:
    told = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{_COMMANDS[level]} {told}::{_data(message)}"


def _data(text: str) -> str:
    """As GitHub's own toolkit escapes it, so that no text ends the command or begins another."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
