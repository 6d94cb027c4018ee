"""The Typer application and the options that many commands share."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ics_guard import __version__
from ics_guard.cli.voice import Voice
from ics_guard.errors import UsageError
from ics_guard.project import Project, open_project

app = typer.Typer(
    name="ics-guard",
    help="No schema change without a proven way back.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

PROTECT, LOOK, RETURN, SETUP = "Protect", "Look", "Come back", "Set up"

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]
EnvOption = Annotated[str, typer.Option("--env", metavar="NAME", help="The environment; default_env without it.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")]


def here(env: str, voice: Voice | None = None) -> Project:
    """Return the project around the current folder, in the named environment ("" for the default)."""
    return open_project(Path.cwd(), env, voice)


@app.callback(invoke_without_command=True)
def version(
    context: typer.Context,
    show: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """Git hooks and a CI gate that refuse a schema change until a fresh, verified backup exists."""
    if show:
        typer.echo(f"ics-guard {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


def parse_moment(text: str) -> datetime:
    """Given a date or time as a person types it (ISO; local time without a zone), return the moment in UTC."""
    try:
        return datetime.fromisoformat(text.replace(" UTC", "+00:00")).astimezone(UTC)
    except ValueError as error:
        raise UsageError("bad-time", f"{text!r} is no time", 'write it like "2026-11-20 14:00"') from error
