"""ledger: inspect, prove, export, summarise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.text import Text

from ics_guard import known, ledger, session_log
from ics_guard.cli.app import LOOK, EnvOption, JsonOption, app, here
from ics_guard.cli.voice import show
from ics_guard.errors import UsageError
from ics_guard.report import documents, texts

ledger_app = typer.Typer(no_args_is_help=True, help="The record of every backup, drill, gate, restore and waiver.")
app.add_typer(ledger_app, name="ledger", rich_help_panel=LOOK)


@ledger_app.command("list")
def list_entries(
    event: Annotated[str, typer.Option("--event", help="Only this kind: backup, drill, gate, restore, …")] = "",
    env: EnvOption = "",
    as_json: JsonOption = False,
) -> None:
    """All entries in order."""
    entries = [entry for entry in ledger.read(here(env).store) if not event or entry.event == event]
    data = {"entries": [documents.entry_document(entry) for entry in entries]}
    nothing = Text(f"There is no entry of the kind {event!r}.")
    show(texts.entries_text(entries) if entries or not event else nothing, data, as_json=as_json)


@ledger_app.command("show")
def show_entry(
    which: Annotated[str, typer.Argument(metavar="ID", help="A sequence number, or the id of a backup.")],
    env: EnvOption = "",
    as_json: JsonOption = False,
) -> None:
    """One entry by number, or everything that happened to one backup."""
    entries, _ = ledger.load(here(env).store)
    found = [entry for entry in entries if str(entry.seq) == which or which in _backup_ids(entry.data)]
    if not found:
        raise UsageError("unknown-entry", f"the ledger has nothing about {which!r}", "ics-guard ledger list")
    shown = [documents.entry_document(entry) for entry in found]
    text = Text(texts.printable_block(json.dumps(shown, indent=2)))
    show(text, {"entries": shown}, as_json=as_json)


def _backup_ids(data: object) -> list[str]:
    """Every backup id that an entry speaks of."""
    if not isinstance(data, dict):
        return []
    named = data.get("backup")
    ids = [named["id"]] if isinstance(named, dict) else [str(named)] if named else []
    return ids + [str(data[name]) for name in ("safety", "salvage") if data.get(name)] + list(data.get("backups") or ())


@ledger_app.command()
def verify(env: EnvOption = "", as_json: JsonOption = False) -> None:
    """Prove that no entry was edited, removed, reordered or cut off. Exit 3 names the first false one."""
    project = here(env)
    head = known.load(project.repository.common_dir).head(project.environment.name)
    faults = ledger.verify(project.store, ledger.Head(head.seq, head.sha256) if head else None)
    entries, _ = ledger.load(project.store)
    data = {
        "ok": not faults,
        "entries": len(entries),
        "faults": [{"seq": fault.seq, "message": fault.message} for fault in faults],
    }
    if faults:
        lines = [Text(f"entry {fault.seq}: {texts.printable(fault.message)}", "bold red") for fault in faults]
        show(Group(Text("The ledger is not what was written:"), *lines), data, as_json=as_json)
        raise typer.Exit(3)
    known_head = f", as far as entry {head.seq} against this clone's own memory" if head else ""
    show(Text(f"{len(entries)} entries, chain intact{known_head}."), data, as_json=as_json)


@ledger_app.command()
def export(
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A file; stdout without it.")] = None,
    env: EnvOption = "",
    as_json: JsonOption = False,
) -> None:
    """All entries as JSON lines, oldest first (with --json as one document)."""
    entries = [documents.entry_document(entry) for entry in ledger.read(here(env).store)]
    if as_json:
        text = json.dumps({"schema_version": 1, "entries": entries}, indent=1)
    else:
        text = "\n".join(json.dumps(entry, sort_keys=True) for entry in entries)
    if output:
        output.write_text(text + "\n", encoding="utf-8")
    else:
        typer.echo(text)


@ledger_app.command()
def summary(
    since: Annotated[int, typer.Option("--since", metavar="SEQ", help="Only entries after this number.")] = 0,
    write: Annotated[bool, typer.Option("--write", help="Put it at the top of SESSIONS.md.")] = False,
    env: EnvOption = "",
    as_json: JsonOption = False,
) -> None:
    """The SESSIONS.md block of backups and restores, with the runbook's six items each, newest first."""
    project = here(env)
    everything = ledger.read(project.store)
    chosen = [entry for entry in everything if entry.seq > since]
    text = session_log.render(chosen, everything)
    path = session_log.write(project, chosen) if write else None
    said = f"written to {path}" if path else text or "Nothing to report."
    show(Text(said), {"text": text, "path": str(path) if path else None}, as_json=as_json)
