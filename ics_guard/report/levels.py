"""How loudly CI says a change, and the words in which its reports name one; shared by all their formats."""

from __future__ import annotations

from collections.abc import Iterable

from ics_guard.model import Change, Decision, Severity
from ics_guard.report.texts import printable

ERROR, WARNING, NOTE = "error", "warning", "note"

LEVELS = {
    Severity.DESTRUCTIVE: ERROR,
    Severity.RISKY: WARNING,
    Severity.UNKNOWN: WARNING,
    Severity.ADDITIVE: NOTE,
    Severity.NOTICE: NOTE,
}
"""The level of each severity, by itself: SARIF's words."""


def level_of(change: Change, decision: Decision | None) -> str:
    """Given a change and the gate's decision, None where nothing was decided, return the level to say it at.

    Of a blocked gate every change that counts is an error, of an open one none is.
    """
    if decision is None or change.severity is Severity.NOTICE:
        return LEVELS[change.severity]
    if not decision.allowed:
        return ERROR
    return WARNING if LEVELS[change.severity] == ERROR else LEVELS[change.severity]


def worst_first(changes: Iterable[Change]) -> list[Change]:
    """Given changes, return them in the order in which every report lists them."""
    return sorted(changes, key=lambda change: (change.severity.rank, change.path, change.line, change.column))


def shortened(text: str, most: int = 300) -> str:
    """Given any text out of a repository, return it printable and at most `most` characters long, a cut shown."""
    shown = printable(text[: most + 1])
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def headline(change: Change) -> str:
    """Given a change, return what it does, to what, in a few words."""
    return shortened(f"{change.operation} {change.object}".rstrip())


def counted(changes: Iterable[Change]) -> str:
    """Given changes, return how many of them count, in words."""
    count = sum(change.severity is not Severity.NOTICE for change in changes)
    return f"{count} schema change{'' if count == 1 else 's'}" if count else "no schema change"


def verdict_on(what: str, decision: Decision) -> str:
    """Given a decision on `what` ("change", "deploy"), return it in a line. What blocks may be no change at all."""
    about = f": {counted(decision.changes)}" if decision.allowed or decision.changes else ""
    return f"ics-guard: this {what} {'may pass' if decision.allowed else 'is held'}{about}"
