"""The same for people: what happened, why it matters, the one command. Rich renderables, plain when piped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ics_guard.model import BackupRecord, Change, Check, Decision, Entry, Reason, Severity, TableLoss
from ics_guard.words import moment, size_in_words

_STYLES = {
    Severity.DESTRUCTIVE: "bold red",
    Severity.RISKY: "yellow",
    Severity.UNKNOWN: "yellow",
    Severity.ADDITIVE: "green",
    Severity.NOTICE: "dim",
}
_MOST_CHANGES = 20


def printable(text: str) -> str:
    """Given any text, return it without control characters: names in a repository can hold anything."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode() for char in text
    )


def printable_block(text: str) -> str:
    """Given text of several lines, return it with each line printable."""
    return "\n".join(printable(line) for line in text.split("\n"))


def changes_text(changes: Sequence[Change], *, most: int = 0) -> RenderableType:
    """Given changes, return a line for each, worst first; `most` limits them (0: all)."""
    ordered = sorted(changes, key=lambda change: (change.severity.rank, change.path, change.line))
    shown = ordered[:most] if most else ordered
    lines = []
    for change in shown:
        line = Text("  ")
        line.append(f"{change.severity:<11}", _STYLES[change.severity])
        line.append(f" {change.operation} {printable(change.object)}".rstrip())
        line.append(f"  {printable(change.path)}:{change.line}  {change.rule}", "dim")
        lines.append(line)
    if len(ordered) > len(shown):
        lines.append(Text(f"  … and {len(ordered) - len(shown)} more; `ics-guard check` lists them all", "dim"))
    return Group(*lines)


def check_text(changes: Sequence[Change]) -> RenderableType:
    """Given the changes of a diff, return them, or that there are none."""
    if not changes:
        return Text("No schema-impacting changes.")
    impacting = sum(change.severity is not Severity.NOTICE for change in changes)
    return Group(Text(f"{impacting} schema-impacting change{'' if impacting == 1 else 's'}:"), changes_text(changes))


def decision_text(decision: Decision, what: str) -> RenderableType:
    """Given a decision on `what` ("commit", "push", …), return what a person needs to go on."""
    count = sum(change.severity is not Severity.NOTICE for change in decision.changes)
    changed = f"{count} schema change{'' if count == 1 else 's'}"
    parts: list[RenderableType] = []
    if decision.allowed:
        ways = ", ".join(record.backup.id for record in decision.backups)
        parts.append(Text.assemble(("ics-guard: ", "bold green"), f"{changed}", f"; way back: {ways}" if ways else ""))
        if any(reason.code in ("waived", "attested") for reason in decision.reasons):  # what somebody answers for
            parts.append(changes_text(decision.changes, most=_MOST_CHANGES))
    else:
        about = f": {changed} without a way back" if count else ""
        parts.append(Text.assemble(("ics-guard: ", "bold red"), f"this {what} is held{about}"))
        parts.append(changes_text(decision.changes, most=_MOST_CHANGES))
    for reason in decision.reasons:
        parts += reason_lines(reason, with_fix=reason.blocking)
    return Group(*parts)


def reason_lines(reason: Reason, *, with_fix: bool = True) -> list[Text]:
    """Given a reason, return what is wrong and, on a line of its own, the command that mends it."""
    lines = [Text.assemble(("  why: " if reason.blocking else "  note: ", "bold"), printable(reason.message))]
    if with_fix and reason.fix:
        lines.append(Text.assemble(("  do:  ", "bold"), (printable(reason.fix), "cyan")))
    return lines


def backups_text(backups: Iterable[tuple[BackupRecord, str, bool]]) -> RenderableType:
    """Given backups with where they are and whether they were reused, return a line or two for each."""
    lines = []
    for record, location, reused in backups:
        backup = record.backup
        size = f"{size_in_words(backup.image.bytes)} → {size_in_words(backup.image.stored_bytes)}"
        when = f"verified {moment(record.verified_at)}" if record.verified_at else "not verified"
        how = "nothing changed since; nothing written" if reused else f"{size} in {backup.seconds:.1f} s"
        drilled = f", drill {record.drill_seconds:.1f} s" if record.drill_seconds is not None and not reused else ""
        lines.append(Text.assemble((f"{backup.source}: ", "bold"), f"{backup.id}  {when} ({how}{drilled})"))
        lines.append(Text(f"  {location}", "dim"))
    return Group(*lines)


def checks_text(checks: Iterable[Check]) -> RenderableType:
    """Given checks, return one line each."""
    return Group(
        *(
            Text.assemble(
                ("  ok    ", "green") if c.ok else ("  FAILED", "bold red"), f" {c.name}: {printable(c.detail)}"
            )
            for c in checks
        )
    )


def losses_text(losses: Sequence[TableLoss] | None) -> RenderableType:
    """Given what happened to live rows since the backup, return it as a table; these rows a restore takes away."""
    if losses is None:
        return Text("  What would be lost cannot be told: the live data cannot be read.")
    if not losses:
        return Text("  Nothing would be lost: the live rows are those of the backup.")
    table = Table(box=box.SIMPLE, title="Live rows since the backup (a restore undoes these)", title_justify="left")
    table.add_column("table")
    for name in ("added", "changed", "removed"):
        table.add_column(name, justify="right")
    for loss in losses:
        table.add_row(
            escape(printable(loss.table)),
            *("?" if n is None else str(n) for n in (loss.added, loss.changed, loss.removed)),
        )
    return table


def schema_text(returns: Sequence[str], vanishes: Sequence[str]) -> list[Text]:
    """Given the objects of a schema that a restore brings back and takes away, return a line for each kind."""
    named = (("comes back", _without_columns(returns)), ("goes", _without_columns(vanishes)))
    return [Text(f"  {word}: {printable(', '.join(objects))}") for word, objects in named if objects]


def _without_columns(objects: Sequence[str]) -> list[str]:
    """A table that comes or goes as a whole speaks for its columns."""
    whole = tuple(f"column:{name}." for kind, _, name in (one.partition(":") for one in objects) if kind != "column")
    return [one for one in objects if not one.startswith(whole)]


def entries_text(entries: Sequence[Entry]) -> RenderableType:
    """Given ledger entries, return a line for each, never folded: an id in two pieces cannot be found or copied."""
    if not entries:
        return Text("The ledger is empty.")
    rows = [
        (str(entry.seq), moment(entry.at), entry.event, entry.source, entry_in_words(entry), entry.actor)
        for entry in entries
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[4:] = (0, 0)  # one long line would push every operator out of sight
    return Group(
        *(
            Text(printable("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))))
            for row in rows
        )
    )


def entry_in_words(entry: Entry) -> str:
    """Given a ledger entry, return in a few words what it records."""
    data = entry.data
    match entry.event:
        case "backup":
            return str(data["backup"]["id"])
        case "drill":
            return f"{data['backup']} {'passed' if data['ok'] else 'FAILED'} in {data['seconds']:.1f} s"
        case "gate":
            codes = ", ".join(sorted({reason["code"] for reason in data["reasons"]}))
            said = {"allow": "allowed", "block": "BLOCKED"}[data["verdict"]]
            count = len(data["changes"])
            changed = f"{count} change{'' if count == 1 else 's'}"
            return f"{said} {changed} at {data['via']}" + (f" ({codes})" if codes else "")
        case "restore":
            return f"{data['outcome']} {data['backup']}" + (f"; before: {data['safety']}" if data["safety"] else "")
        case "waive":
            return str(data["reason"])
        case _:
            return ", ".join(f"{name}: {value}" for name, value in data.items() if isinstance(value, str) and value)
