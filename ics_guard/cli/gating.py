"""check, gate, hook: what changes a schema, and may it pass."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ics_guard import gate as gates
from ics_guard import hook as hooks
from ics_guard import migration, stricter
from ics_guard.cli.app import LOOK, PROTECT, EnvOption, JsonOption, app
from ics_guard.cli.asking import (
    NOTHING,
    Asked,
    FromOption,
    RangeOption,
    StagedOption,
    ToOption,
    opened,
)
from ics_guard.cli.formats import Format, FormatOption, show_check, show_gate
from ics_guard.cli.voice import err, speaking
from ics_guard.errors import UsageError
from ics_guard.install import refresh_sieve
from ics_guard.model import Severity
from ics_guard.project import open_for_hook
from ics_guard.report import texts


@app.command(rich_help_panel=LOOK)
def check(
    staged: StagedOption = False,
    span: RangeOption = None,
    every: Annotated[bool, typer.Option("--all", help="Every tracked file, as if it were new.")] = False,
    from_ref: FromOption = None,
    to_ref: ToOption = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 1 when there are findings.")] = False,
    form: FormatOption = Format.TEXT,
    env: EnvOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the schema-impacting changes of a diff: what, where, how bad, and why.

    Example: ics-guard check --range main..HEAD
    """
    project, judged = opened(Asked(staged, span, from_ref, to_ref, every), env)
    changes = stricter.changes_of(project, judged.diffs)
    show_check(Format.JSON if as_json else form, changes, judged)
    if exit_code and any(change.severity is not Severity.NOTICE for change in changes):
        raise typer.Exit(1)


@app.command(rich_help_panel=PROTECT)
def gate(
    staged: StagedOption = False,
    span: RangeOption = None,
    from_ref: FromOption = None,
    to_ref: ToOption = None,
    deploy: Annotated[bool, typer.Option("--deploy", help="Ask for a fresh way back even without any change.")] = False,
    form: FormatOption = Format.TEXT,
    env: EnvOption = "",
    as_json: JsonOption = False,
) -> None:
    """The gate: exit 0 when every schema change of the diff has a way back, 1 when it is held.

    Without --staged or a range it judges what the CI job is about, and outside CI what is staged.
    """
    judged = NOTHING
    with speaking() as voice:
        try:
            project, judged = opened(Asked(staged, span, from_ref, to_ref), env, voice)
            decision = stricter.pass_or_block(project, judged.diffs, via="gate")
            if deploy:
                decision = gates.with_fresh_way_back(project, decision)
        except UsageError as error:
            decision = stricter.not_to_be_had(error)
    show_gate(Format.JSON if as_json else form, decision, "deploy" if deploy else "change", judged)
    if not decision.allowed:
        raise typer.Exit(1)


@app.command(hidden=True, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def hook(context: typer.Context, name: str) -> None:
    """What the git hooks call, with the arguments and the standard input that git gave them."""
    arguments = list(context.args)
    if name.startswith("framework"):
        name, arguments = hooks.from_framework(name, os.environ)
    if name in hooks.INCOMING:
        _incoming(name, arguments)
        return
    if name not in hooks.BLOCKING:
        raise UsageError("unknown-hook", f"{name!r} is no hook of ics-guard", f"one of: {', '.join(hooks.BLOCKING)}")
    with speaking() as voice:
        project = open_for_hook(Path.cwd(), voice)
        refresh_sieve(project.repository, project.config)
        try:
            decision = hooks.blocking(project, name, arguments, _told(name))
        except UsageError as error:
            decision = stricter.not_to_be_had(error)
    if not decision.allowed or any(change.severity is not Severity.NOTICE for change in decision.changes):
        err.print(texts.decision_text(decision, hooks.BLOCKING[name]))
    if not decision.allowed:
        raise typer.Exit(1)


def _told(name: str) -> bytes:
    """What git says on standard input, to the hooks to which it says something."""
    return sys.stdin.buffer.read() if name in ("pre-push", "post-rewrite") and not sys.stdin.isatty() else b""


def _incoming(name: str, arguments: list[str]) -> None:
    """Nothing that goes wrong here may fail the git command, and nothing goes wrong in silence."""
    from ics_guard.errors import IcsGuardError  # noqa: PLC0415

    try:
        with speaking() as voice:
            project = open_for_hook(Path.cwd(), voice)
            refresh_sieve(project.repository, project.config)
            came = hooks.incoming(project, name, arguments, _told(name))
        if came:
            count = len(came.changes)
            err.print(f"ics-guard: {count} schema change{'' if count == 1 else 's'} came in; {came.said}", markup=False)
            err.print(texts.changes_text(came.changes, most=10))
    except IcsGuardError as error:
        err.print(f"ics-guard: {error.message}\n  do: {error.fix}", markup=False)
    except OSError as error:
        err.print(f"ics-guard: {error}; incoming migrations were not looked at", markup=False)


@app.command("guard-migration", hidden=True)
def guard_migration(request: str) -> None:
    """What `ics_guard.alembic.guard` calls: take the way back of the database that is about to be migrated."""
    asked = msgspec.convert(json.loads(request), migration.Request)
    with speaking() as voice:
        result = migration.protect(asked, voice)
    if result:
        how = "still current" if result.reused else "taken and drilled just now"
        count = len(asked.steps)
        said = f"the way back before {count} migration{'' if count == 1 else 's'} is {result.record.backup.id} ({how})"
        err.print(f"ics-guard: {said}", markup=False)
