"""init, install, uninstall, demo: getting started."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from ics_guard import config, git
from ics_guard import demo as demos
from ics_guard import initialise as initialising
from ics_guard import install as installing
from ics_guard.cli.app import SETUP, JsonOption, YesOption, app
from ics_guard.cli.voice import err, out, show, speaking
from ics_guard.errors import UsageError
from ics_guard.report import documents, texts


@app.command(rich_help_panel=SETUP)
def init(yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Look at the repository, write ics-guard.toml, install the hooks, take and drill the first backup.

    Running it again changes nothing that is right. It asks before it writes; with --yes it asks nothing.
    """

    def agree(text: str, questions: tuple[str, ...]) -> None:
        if yes:
            return
        voice.finish()
        out.print(Text(text))
        for question in questions:
            out.print(Text(f"? {question}", "yellow"))
        if not sys.stdin.isatty():
            raise UsageError("needs-yes", "init asks before it writes, and nobody is here to ask", "add --yes")
        if not typer.confirm(f"Write this to {config.NAME}, install the hooks and take the first backup?"):
            raise UsageError("declined", "nothing was changed", "")

    with speaking() as voice:
        repository = git.open_repository(Path.cwd())
        done = initialising.initialise(repository, voice, agree)
    data = {
        "config": str(done.path),
        "written": done.written,
        "questions": list(done.questions),
        "hooks": list(done.hooks.hooks),
        "empty": list(done.empty),
        "backups": [
            documents.backup_document(r.record, r.record.backup.image.key, reused=r.reused) for r in done.backups
        ],
    }
    show(_init_text(done, asked=not yes), data, as_json=as_json)


def _init_text(done: initialising.Initialised, *, asked: bool) -> RenderableType:
    lines: list[RenderableType] = [
        Text(f"{done.path.name}: {'written' if done.written else 'already there, left as it is'}"),
        Text(f"hooks: {', '.join(done.hooks.hooks)} ({done.hooks.style})"),
    ]
    lines += [Text(f"no data here yet: {name} (remembered; commits pass until there is some)") for name in done.empty]
    lines.append(texts.backups_text((r.record, r.record.backup.image.key, r.reused) for r in done.backups))
    if not asked:
        lines += [Text(f"? {question}", "yellow") for question in done.questions]
    lines.append(Text(f"next: git add {done.path.name} && git commit", "dim"))
    return Group(*lines)


@app.command(rich_help_panel=SETUP)
def install(as_json: JsonOption = False) -> None:
    """Install the git hooks, without the pre-commit framework; hooks that are there are kept and run first."""
    repository = git.open_repository(Path.cwd())
    done = installing.install(repository, config.load(repository.root))
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
