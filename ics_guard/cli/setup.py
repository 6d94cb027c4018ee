"""init, install, uninstall, demo: getting started."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from ics_guard import config, discover, git
from ics_guard import demo as demos
from ics_guard import initialise as initialising
from ics_guard import install as installing
from ics_guard.cli.app import SETUP, JsonOption, YesOption, app
from ics_guard.cli.voice import err, out, show, speaking
from ics_guard.discover import Proposal
from ics_guard.errors import UsageError
from ics_guard.model import Silence
from ics_guard.project import open_for_hook
from ics_guard.report import documents, texts


@app.command(rich_help_panel=SETUP)
def init(yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Look at the repository, write ics-guard.toml, install the hooks, take and drill the first backup.

    Running it again changes nothing that is right. It asks before it writes; with --yes it asks nothing.
    """

    with speaking() as voice:
        repository = git.open_repository(Path.cwd())

        def agree(proposal: Proposal) -> Proposal:
            voice.finish()
            return proposal if yes else _ask(proposal)

        done = initialising.initialise(repository, voice, agree)
    data = {
        "config": str(done.path),
        "written": done.written,
        "questions": list(done.questions),
        "hooks": list(done.hooks.hooks),
        "hooks_advice": done.hooks_advice,
        "empty": list(done.empty),
        "lost": list(done.lost),
        "backups": [
            documents.backup_document(r.record, r.record.backup.image.key, reused=r.reused) for r in done.backups
        ],
    }
    committed = not done.written and git.is_tracked(repository, done.path)
    show(_init_text(done, committed=committed), data, as_json=as_json)


def _ask(proposal: Proposal) -> Proposal:
    """Show what would be written, ask what only a person can tell, and go on only with a yes."""
    if not sys.stdin.isatty():
        raise UsageError("needs-yes", "init asks before it writes, and nobody is here to ask", "add --yes")
    for question in proposal.questions:
        out.print(Text(f"? {question}", "yellow"))
    if proposal.questions and len(proposal.databases) > 1:
        proposal = _choose_database(proposal)
    out.print(Text(discover.render(proposal)))
    if not typer.confirm(f"Write this to {config.NAME}, install the hooks and take the first backup?", default=True):
        raise UsageError("declined", "nothing was written", "")
    return proposal


def _choose_database(proposal: Proposal) -> Proposal:
    for number, database in enumerate(proposal.databases, 1):
        out.print(Text(f"  {number}. {database.path}  ({database.why}){'  *' if database.chosen else ''}"))
    default = next((number for number, one in enumerate(proposal.databases, 1) if one.chosen), 1)
    number = typer.prompt("Which one is to be guarded?", default=default, type=int)
    if not 1 <= number <= len(proposal.databases):
        raise UsageError("no-such-choice", f"{number} is none of them", f"1 to {len(proposal.databases)}")
    return proposal.with_only(proposal.databases[number - 1]) if number != default else proposal


def _init_text(done: initialising.Initialised, *, committed: bool) -> RenderableType:
    lines: list[RenderableType] = [
        Text(f"{done.path.name}: {'written' if done.written else 'already there, left as it is'}"),
        Text(f"hooks: {', '.join(done.hooks.hooks) or 'none'} ({done.hooks.style})"),
    ]
    if done.hooks_advice:
        lines.append(Text(done.hooks_advice, "yellow"))
    lines += [Text(f"no data here yet: {name} (remembered; commits pass until there is some)") for name in done.empty]
    lines += [Text(f"{name} was here and is GONE: ics-guard restore --source {name}", "red") for name in done.lost]
    lines.append(texts.backups_text((r.record, r.record.backup.image.key, r.reused) for r in done.backups))
    lines += [Text(f"? {question}", "yellow") for question in done.questions]
    if not committed:
        lines.append(Text(f"next: git add {done.path.name} && git commit", "dim"))
    return Group(*lines)


@app.command(rich_help_panel=SETUP)
def install(as_json: JsonOption = False) -> None:
    """Install the git hooks, without the pre-commit framework; hooks that are there are kept and run first."""
    repository = git.open_repository(Path.cwd())
    done = installing.install(repository, open_for_hook(Path.cwd(), Silence()).config)
    data = {"hooks": list(done.hooks), "style": done.style, "chained": list(done.chained), "folder": str(done.folder)}
    chained = f"; kept and run first: {', '.join(done.chained)}" if done.chained else ""
    show(Text(f"hooks in {done.folder}: {', '.join(done.hooks)}{chained}"), data, as_json=as_json)


@app.command(rich_help_panel=SETUP)
def uninstall(as_json: JsonOption = False) -> None:
    """Take the git hooks out and put back what was there before them. Backups and ledger stay."""
    repository = git.open_repository(Path.cwd())
    removed = installing.uninstall(repository)
    said = f"removed: {', '.join(removed)}" if removed else "there was nothing to remove"
    show(Text(f"{said}; backups and ledger are untouched"), {"removed": list(removed)}, as_json=as_json)


@app.command(rich_help_panel=SETUP)
def demo(
    into: Annotated[
        Path | None, typer.Option("--into", metavar="FOLDER", help="A new folder to play in, and to keep.")
    ] = None,
) -> None:
    """Show the main job on a throwaway repository: held, backed up, migrated, broken, restored; all real commands."""
    if into and into.exists():
        raise UsageError("folder-exists", f"{into} exists already", "name a folder that does not exist yet")
    try:
        demos.tell(
            into,
            lambda line: out.print(Text(f"\n{line}", "bold")),
            lambda line: out.print(Text(line, "cyan" if line.startswith("$ ") else "")),
        )
    except demos.DemoError as error:
        err.print(f"ics-guard: {error}", markup=False)
        raise typer.Exit(3) from error
