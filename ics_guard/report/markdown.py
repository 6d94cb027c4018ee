"""A verdict in Markdown, as a job summary or a comment on a merge request; nothing out of a repository is Markdown.

All that comes from a repository stands in `<code>`, with references for characters: there neither GitHub nor GitLab
reads mentions, links or emphasis, and a character reference never ends a cell, a line or an element.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

from ics_guard.model import BackupRecord, Change, Decision, Reason
from ics_guard.report.levels import counted, headline, shortened, verdict_on, worst_first
from ics_guard.words import moment

MOST_BYTES = 1024 * 1024
"""GitHub takes no job summary larger than that from a step."""

_CUT = "\n*The rest is left out: a summary is limited to {limit} bytes.*\n"
_HEAD = "\n| severity | change | where | rule | sources |\n|---|---|---|---|---|\n"
# A word may hold underscores, dots and the like; what could mean something to Markdown stands for itself no longer.
_MEANS_SOMETHING = re.compile(r"(?<=\bwww)\.|(?<![^\W_])_|_(?![^\W_])|[^\w ./_-]", re.IGNORECASE | re.ASCII)


def check_summary(changes: Sequence[Change], judged: str = "", *, limit: int = MOST_BYTES) -> str:
    """Given the changes of a diff and what was judged, return them as Markdown of at most `limit` bytes."""
    return _fit([f"### ics-guard: {counted(changes)}\n", *_judged(judged), *_table(changes)], limit)


def gate_summary(decision: Decision, what: str, judged: str = "", *, limit: int = MOST_BYTES) -> str:
    """Given a decision on `what` ("change", "deploy") and what was judged, return it as Markdown.

    The verdict comes first, then the reasons with the one command each, what the decision rests on, and the changes,
    worst first. It has at most `limit` bytes; that something was cut is said. Where not even that fits, it is empty.
    """
    said = f"### {'✅' if decision.allowed else '⛔'} {verdict_on(what, decision)}\n"
    ordered = sorted(decision.reasons, key=lambda reason: not reason.blocking)
    blocks = itertools.chain(
        [said], _judged(judged), map(_reason, ordered), _backups(decision.backups), _table(decision.changes)
    )
    return _fit(blocks, limit)


def _judged(judged: str) -> list[str]:
    return [f"\nJudged: {_code(judged)}\n"] if judged else []


def _reason(reason: Reason) -> str:
    word = "Why" if reason.blocking else "Note"
    source = f", {_code(reason.source)}" if reason.source else ""
    fix = f"<br>Do: {_code(reason.fix, 1000)}" if reason.fix and reason.blocking else ""
    return f"\n- **{word}** ({_code(reason.code)}{source}): {_code(reason.message, 1000)}{fix}\n"


def _backups(records: Sequence[BackupRecord]) -> Iterator[str]:
    if records:
        yield "\nIt rests on:\n\n"
    for record in records:
        backup = record.backup
        verified = f"verified {moment(record.verified_at)}" if record.verified_at else "not verified"
        yield f"- {_code(backup.source)}: {_code(backup.id)}, taken {moment(backup.imaged_at)}, {verified}\n"


def _table(changes: Iterable[Change]) -> Iterator[str]:
    for number, change in enumerate(worst_first(changes)):
        cells = (
            str(change.severity),
            _code(headline(change)),
            _code(f"{shortened(change.path)}:{change.line}"),
            _code(change.rule),
            ", ".join(map(_code, change.sources)),
        )
        yield ("" if number else _HEAD) + f"| {' | '.join(cells)} |\n"


def _code(text: str, most: int = 600) -> str:
    """Given any text, return an element that shows it and means nothing."""
    return f"<code>{_MEANS_SOMETHING.sub(lambda found: f'&#{ord(found[0])};', shortened(text, most))}</code>"


def _fit(blocks: Iterable[str], limit: int) -> str:
    """As many blocks, from the first on, as fit; none is cut inside, so that what is there stays whole."""
    cut = _CUT.format(limit=limit)
    room = limit - len(cut.encode())
    if room < 0:
        return ""
    kept: list[str] = []
    for block in blocks:
        room -= len(block.encode())
        if room < 0:
            return "".join((*kept, cut))
        kept.append(block)
    return "".join(kept)
