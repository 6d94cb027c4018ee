"""check, gate, hook, waive: what changes a schema, and may it pass."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from ics_guard import evidence, git, migration, stricter
from ics_guard import gate as gates
from ics_guard import hook as hooks
from ics_guard.cli.app import LOOK, PROTECT, EnvOption, JsonOption, app, here, parse_moment
from ics_guard.cli.voice import err, show, speaking
from ics_guard.errors import UsageError
from ics_guard.install import refresh_sieve
from ics_guard.model import Severity
from ics_guard.project import Project, open_for_hook, utc_now
from ics_guard.report import documents, texts

StagedOption = Annotated[bool, typer.Option("--staged", help="What the next commit holds (the default).")]
RangeOption = Annotated[
    str, typer.Option("--range", metavar="A..B", help="What B changes since its merge base with A.")
]
FromOption = Annotated[str, typer.Option("--from-ref", help="With --to-ref: the same as --range FROM..TO.")]
ToOption = Annotated[str, typer.Option("--to-ref", help="See --from-ref.")]


@app.command(rich_help_panel=LOOK)
def check(
    staged: StagedOption = False,
    span: RangeOption = "",
    every: Annotated[bool, typer.Option("--all", help="Every tracked file, as if it were new.")] = False,
    from_ref: FromOption = "",
    to_ref: ToOption = "",
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 1 when there are findings.")] = False,
    form: Annotated[str, typer.Option("--format", metavar="text|json", help="How to print.")] = "text",
    env: EnvOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the schema-impacting changes of a diff: what, where, how bad, and why.

    Example: ics-guard check --range main..HEAD
    """
    if form not in ("text", "json"):
        raise UsageError("bad-format", f"--format {form} is not known", "use --format text or --format json")
    project = here(env)
    diff = _diff(project, staged, span, from_ref, to_ref, every=every)
    changes = gates.find_changes(project, diff).changes
    show(texts.check_text(changes), documents.check_document(changes), as_json=as_json or form == "json")
    if exit_code and any(change.severity is not Severity.NOTICE for change in changes):
        raise typer.Exit(1)


@app.command(rich_help_panel=PROTECT)
def gate(
    staged: StagedOption = False,
    span: RangeOption = "",
    from_ref: FromOption = "",
    to_ref: ToOption = "",
    deploy: Annotated[bool, typer.Option("--deploy", help="Ask for a fresh way back even without any change.")] = False,
    env: EnvOption = "",
    as_json: JsonOption = False,
) -> None:
    """The gate: exit 0 when every schema change of the diff has a way back, 1 when it is held."""
    with speaking() as voice:
        project = here(env, voice)
        diff = _diff(project, staged, span, from_ref, to_ref)
        decision = stricter.pass_or_block(project, [diff], via="gate")
        if deploy:
            decision = gates.with_fresh_way_back(project, decision)
    show(
        texts.decision_text(decision, "deploy" if deploy else "change"),
        documents.gate_document(decision),
        as_json=as_json,
    )
    if not decision.allowed:
        raise typer.Exit(1)


@app.command(rich_help_panel=PROTECT)
def waive(
    reason: Annotated[str, typer.Option("--reason", help="Why this may pass without a way back.")],
    until: Annotated[str, typer.Option("--until", metavar="WHEN", help="ISO date after which it is void.")] = "",
    staged: StagedOption = False,
    span: RangeOption = "",
    env: EnvOption = "",
    as_json: JsonOption = False,
) -> None:
    """Accept, in writing and for exactly these changes, that there is no way back. Commit the file it writes."""
    if not reason.strip():
        raise UsageError("no-reason", "a waiver needs a reason", 'ics-guard waive --reason "why this may be lost"')
    until_moment = parse_moment(until) if until else None
    if until_moment and until_moment <= utc_now():
        raise UsageError("past", f"{until} is over already: the waiver would be void", "name a later --until")
    project = here(env)
    diff = _diff(project, staged, span, "", "")
    changes = [c for c in gates.find_changes(project, diff).changes if c.severity is not Severity.NOTICE]
    if not changes:
        raise UsageError("nothing-to-waive", "there is no schema-impacting change to waive", "stage the change first")
    document = evidence.make_waiver(
        changes,
        env=project.environment.name,
        author=project.operator,
        reason=reason,
        at=utc_now(),
        until=until_moment,
    )
    path = evidence.write(project.repository.root, document)
    project.record("waive", "", {"reason": reason, "changes": document["changes"], "until": document["until"]})
    where = path.relative_to(project.repository.root)
    text = Text(f"Waived {len(changes)} change(s). It counts once it is in the commit: git add {where}")
    show(text, {"path": str(where), "waiver": document}, as_json=as_json)


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
        decision = hooks.blocking(project, name, arguments, _told(name))
    if decision.changes and any(change.severity is not Severity.NOTICE for change in decision.changes):
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


def _diff(project: Project, staged: bool, span: str, from_ref: str, to_ref: str, *, every: bool = False) -> git.Diff:
    """The diff asked for: what is staged where nothing is said."""
    if sum((staged, bool(span), every, bool(from_ref or to_ref))) > 1 or bool(from_ref) != bool(to_ref):
        raise UsageError(
            "which-diff",
            "say one of --staged, --range A..B, --from-ref A --to-ref B" + (", --all" if every else ""),
            "ics-guard check --range main..HEAD",
        )
    if every:
        return git.everything(project.repository)
    if from_ref:
        span = f"{from_ref}..{to_ref}"
    if not span:
        return git.staged(project.repository)
    return git.between(project.repository, *git.commit_range(project.repository, span))
