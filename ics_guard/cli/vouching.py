"""attest, waive: evidence for places that have no database, written and signed where a person answers for it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ics_guard import evidence, vouching
from ics_guard.cli.app import PROTECT, EnvOption, JsonOption, app, parse_moment
from ics_guard.cli.asking import Asked, RangeOption, opened
from ics_guard.cli.voice import show, speaking
from ics_guard.errors import UsageError
from ics_guard.project import Project, utc_now
from ics_guard.report import documents, texts

KeyOption = Annotated[
    str, typer.Option("--key", metavar="FILE", help="The SSH key to sign with; that of git without it.")
]
StagedOption = Annotated[bool, typer.Option("--staged", help="What the next commit holds (the default).")]
UntilOption = Annotated[str, typer.Option("--until", metavar="WHEN", help="ISO date or time after which it is void.")]


@app.command(rich_help_panel=PROTECT)
def attest(
    until: UntilOption = "",
    key: KeyOption = "",
    staged: StagedOption = False,
    span: RangeOption = None,
    env: EnvOption = "",
    as_json: JsonOption = False,
) -> None:
    """Judge a diff here, where the data is, and write signed evidence of the way back. Commit what it writes.

    Example: ics-guard attest --range origin/main..HEAD
    """
    until_moment = _later_moment(until)
    with speaking() as voice:
        project, judged = opened(Asked(staged or span is None, span), env, voice)
        decision, files = vouching.attest(project, judged.diffs, key=key, until=until_moment)
    if not files:
        show(texts.decision_text(decision, "change"), documents.gate_document(decision), as_json=as_json)
        raise typer.Exit(1)
    needed = sorted({reason.source for reason in decision.reasons if reason.blocking and reason.source})
    _show_written(project, "Attested", files, needed, as_json=as_json)


@app.command(rich_help_panel=PROTECT)
def waive(
    reason: Annotated[str, typer.Option("--reason", help="Why this may pass without a way back.")],
    until: UntilOption = "",
    key: KeyOption = "",
    staged: StagedOption = False,
    span: RangeOption = None,
    env: EnvOption = "",
    as_json: JsonOption = False,
) -> None:
    """Accept, in writing and for exactly these changes, that there is no way back. Commit what it writes."""
    if not reason.strip():
        raise UsageError("no-reason", "a waiver needs a reason", 'ics-guard waive --reason "why this may be lost"')
    until_moment = _later_moment(until)
    with speaking() as voice:
        project, judged = opened(Asked(staged or span is None, span), env, voice)
        files = vouching.waive(project, judged.diffs, reason=reason, key=key, until=until_moment)
    _show_written(project, "Waived", files, [], as_json=as_json)


def _later_moment(text: str) -> datetime | None:
    moment = parse_moment(text) if text else None
    if moment and moment <= utc_now():
        raise UsageError("past", f"{text} is over already: the evidence would be void", "name a later --until")
    return moment


def _show_written(project: Project, verb: str, files: tuple[Path, ...], needed: list[str], *, as_json: bool) -> None:
    names = [str(path.relative_to(project.repository.root)) for path in files]
    count = f"{len(names)} change{'' if len(names) == 1 else 's'}"
    text = Text(f"{verb} {count}. It counts once it is committed: git add {evidence.FOLDER}")
    if needed:
        text.append(f"\nStill needed, from where the data is: an attestation for {', '.join(needed)}")
    written = [json.loads(path.read_bytes()) for path in files]
    show(text, {"paths": names, "evidence": written, "needed": needed}, as_json=as_json)
