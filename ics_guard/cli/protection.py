"""backup, drill, status, run: making sure of the way back."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ics_guard import guarded_run, ledger
from ics_guard import status as standing
from ics_guard.backup import back_up, lost_ledger
from ics_guard.cli.app import LOOK, PROTECT, EnvOption, JsonOption, app, here
from ics_guard.cli.voice import err, show, speaking
from ics_guard.drill import DrillResult
from ics_guard.drill import drill as drill_one
from ics_guard.errors import UsageError
from ics_guard.model import BackupKind, BackupRecord
from ics_guard.project import Project
from ics_guard.report import documents, texts
from ics_guard.words import age_in_words, moment


@app.command(rich_help_panel=PROTECT)
def backup(
    sources: Annotated[list[str] | None, typer.Argument(help="Names of sources; all of them without one.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Take a new image even where nothing changed.")] = False,
    env: EnvOption = "",
    as_json: JsonOption = False,
) -> None:
    """Back up and drill: image, store, restore from the stored bytes, check. Exit 3 if it does not verify.

    Example: ics-guard backup
    """
    with speaking() as voice:
        project = here(env, voice)
        results = back_up(project, project.select(sources or []), full=full)
    located = [(r.record, project.store.describe(r.record.backup.image.key), r.reused) for r in results]
    data = {"backups": [documents.backup_document(record, where, reused=reused) for record, where, reused in located]}
    show(texts.backups_text(located), data, as_json=as_json)


@app.command(rich_help_panel=PROTECT)
def drill(
    which: Annotated[str, typer.Argument(metavar="[BACKUP|latest]", help="A backup's id, or latest.")] = "latest",
    every: Annotated[bool, typer.Option("--all", help="Drill every backup in the store.")] = False,
    env: EnvOption = "",
    as_json: JsonOption = False,
) -> None:
    """Restore a stored backup into scratch and check it; the time it takes is the measured RTO. Exit 3 on failure."""
    with speaking() as voice:
        project = here(env, voice)
        results = [(record, drill_one(project, record)) for record in _to_drill(project, which, every=every)]
    text = Group(*(_drill_text(result) for _, result in results))
    data = {
        "drills": [
            {
                "backup": record.backup.id,
                "source": record.backup.source,
                "ok": result.ok,
                "seconds": round(result.seconds, 3),
                "checks": documents.checks_document(result.checks),
            }
            for record, result in results
        ]
    }
    show(text, data, as_json=as_json)
    if not all(result.ok for _, result in results):
        raise typer.Exit(3)


def _to_drill(project: Project, which: str, *, every: bool) -> list[BackupRecord]:
    records = [
        r
        for r in ledger.records(ledger.read(project.store), project.store)
        if r.backup.env == project.environment.name and r.backup.kind is not BackupKind.SALVAGE
    ]
    if every:
        chosen = records
    elif which == "latest":
        newest: dict[str, BackupRecord] = {}
        for record in records:
            if record.backup.kind is BackupKind.BACKUP:
                newest.setdefault(record.backup.source, record)
        chosen = list(newest.values())
    else:
        chosen = [record for record in records if record.backup.id == which]
    if not chosen:
        raise UsageError("no-backup", f"there is nothing to drill for {which!r}", "ics-guard ledger list")
    return chosen


def _drill_text(result: DrillResult) -> RenderableType:
    said = "passed" if result.ok else "FAILED"
    head = Text.assemble((f"{result.backup.id}: ", "bold"), f"drill {said} in {result.seconds:.1f} s")
    return Group(head, texts.checks_text(result.checks))


@app.command(rich_help_panel=LOOK)
def status(env: EnvOption = "", as_json: JsonOption = False) -> None:
    """Per source: is there a way back right now, how old is it, when was it last drilled, and if not, why not."""
    project = here(env)
    found = standing.look(project)
    notes = lost_ledger(project)
    data = {
        "env": project.environment.name,
        "sources": [_status_document(project, s) for s in found],
        "notes": [{"code": note.code, "message": note.message, "fix": note.fix} for note in notes],
    }
    warnings = [Text(f"{note.message}\n  {note.fix}", "yellow") for note in notes]
    show(Group(_status_text(project, found), *warnings), data, as_json=as_json)


def _status_document(project: Project, source: standing.SourceStatus) -> dict[str, object]:
    newest = source.newest
    policy = project.environment.policy
    return {
        "name": source.name,
        "kind": source.kind,
        "path": str(source.path or ""),
        "fresh": source.fresh,
        "reasons": [{"code": r.code, "message": r.message, "fix": r.fix} for r in source.reasons],
        "backup": newest.backup.id if newest else None,
        "age_seconds": source.age_seconds,
        "verified_at": msgspec.to_builtins(newest.verified_at) if newest else None,
        "last_drill": msgspec.to_builtins(source.last_drill),
        "rto_seconds": newest.drill_seconds if newest else None,
        "rpo_target_seconds": policy.rpo.total_seconds(),
        "rto_target_seconds": policy.rto.total_seconds(),
        "safety_copies": source.safety_copies,
        "second_location": None,
    }


def _status_text(project: Project, found: tuple[standing.SourceStatus, ...]) -> RenderableType:
    parts: list[RenderableType] = [
        Text(f"environment {project.environment.name}, store {project.store.location}", "dim")
    ]
    policy = project.environment.policy
    for source in found:
        word, style = ("fresh", "bold green") if source.fresh else ("not fresh", "bold yellow")
        parts.append(Text.assemble((source.name, "bold"), "  ", (word, style)))
        table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
        newest = source.newest
        if newest:
            age = age_in_words(project.began - newest.backup.imaged_at)
            table.add_row("  way back", f"{newest.backup.id}, {age} old (allowed: {age_in_words(policy.rpo)})")
            verified = moment(newest.verified_at) if newest.verified_at else "never"
            took = f"{newest.drill_seconds:.1f} s" if newest.drill_seconds is not None else "?"
            table.add_row(
                "  verified", f"{verified}; restoring and checking took {took} (allowed: {age_in_words(policy.rto)})"
            )
        if source.safety_copies:
            table.add_row("  also kept", f"safety copies and salvages of earlier restores: {source.safety_copies}")
        mirror = project.environment.mirror
        unused = f"{mirror} is configured, and this version does not copy there yet" if mirror else "none"
        table.add_row("  second place", f"{texts.printable(unused)}: what this disk loses is lost")
        parts.append(table)
        for reason in source.reasons:  # not in the table, which would fold a command that is to be copied
            parts += texts.reason_lines(reason)
    return Group(*parts)


@app.command(
    rich_help_panel=PROTECT,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "allow_interspersed_args": False},
)
def run(
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND…", help="What to run, after `--`.")],
    env: EnvOption = "",
    as_json: JsonOption = False,
) -> None:
    """Run a migration under guard: way back first, then the command, then checks; on failure the data goes back.

    Exit 6: the command failed and the data is as it was. Exit 5: somebody else used the database meanwhile, so it was
    left as it is; the command that puts it back is printed. Example: ics-guard run -- alembic upgrade head
    """
    with speaking() as voice:
        before = guarded_run.run_guarded(here(env, voice), command)
    ids = [record.backup.id for record in before]
    if as_json:
        show("", {"outcome": "done", "backups": ids}, as_json=True)
    else:
        err.print(f"ics-guard: done; the way back is {', '.join(ids) or 'nothing (there was no data)'}", markup=False)
