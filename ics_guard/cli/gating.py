"""check, gate, hook, waive: what changes a schema, and may it pass."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from ics_guard import evidence, git, migration, stricter, vouching
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
KeyOption = Annotated[
    str, typer.Option("--key", metavar="FILE", help="The SSH key to sign with; that of git without it.")
]
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
    changes = stricter.changes_of(project, [diff])
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
        try:
            diff = _diff(project, staged, span, from_ref, to_ref)
            decision = stricter.pass_or_block(project, [diff], via="gate")
        except UsageError as error:
            if error.code not in stricter.NOT_TO_BE_HAD:
                raise
            decision = stricter.not_to_be_had(error)
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
def attest(
    until: Annotated[str, typer.Option("--until", metavar="WHEN", help="Void from then on, if not earlier.")] = "",
    key: KeyOption = "",
    staged: StagedOption = False,
    span: RangeOption = "",
    env: EnvOption = "",
    as_json: JsonOption = False,
) -> None:
    """Judge a diff here, where the data is, and write signed evidence of the way back for places that have none.

    Example: ics-guard attest --range origin/main..HEAD, then commit what it wrote
    """
    until_moment = _later_moment(until)
    with speaking() as voice:
        project = here(env, voice)
        diff = _diff(project, staged, span, "", "")
        decision, files = vouching.attest(project, diff, key=key, until=until_moment)
    if not decision.allowed:
        show(texts.decision_text(decision, "change"), documents.gate_document(decision), as_json=as_json)
        raise typer.Exit(1)
    _show_written(project, "Attested", files, as_json=as_json)


@app.command(rich_help_panel=PROTECT)
def waive(
    reason: Annotated[str, typer.Option("--reason", help="Why this may pass without a way back.")],
    until: Annotated[str, typer.Option("--until", metavar="WHEN", help="ISO date after which it is void.")] = "",
    key: KeyOption = "",
    staged: StagedOption = False,
    span: RangeOption = "",
    env: EnvOption = "",
    as_json: JsonOption = False,
) -> None:
    """Accept, in writing and for exactly these changes, that there is no way back. Commit what it writes."""
    if not reason.strip():
        raise UsageError("no-reason", "a waiver needs a reason", 'ics-guard waive --reason "why this may be lost"')
    until_moment = _later_moment(until)
    project = here(env)
    diff = _diff(project, staged, span, "", "")
    files = vouching.waive(project, diff, reason=reason, key=key, until=until_moment)
    _show_written(project, "Waived", files, as_json=as_json)


def _later_moment(text: str) -> datetime | None:
    moment = parse_moment(text) if text else None
    if moment and moment <= utc_now():
        raise UsageError("past", f"{text} is over already: the evidence would be void", "name a later --until")
    return moment


def _show_written(project: Project, verb: str, files: tuple[Path, ...], *, as_json: bool) -> None:
    names = [str(path.relative_to(project.repository.root)) for path in files]
    count = f"{len(names)} change{'' if len(names) == 1 else 's'}"
    text = Text(f"{verb} {count}. It counts once it is committed: git add {evidence.FOLDER}")
    written = [json.loads(path.read_bytes()) for path in files]
    show(text, {"paths": names, "evidence": written}, as_json=as_json)


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
    stdin = b"" if name != "pre-push" or sys.stdin.isatty() else sys.stdin.buffer.read()
    with speaking() as voice:
        project = open_for_hook(Path.cwd(), voice)
        refresh_sieve(project.repository, project.config)
        decision = hooks.blocking(project, name, arguments, stdin)
    if decision.changes and any(change.severity is not Severity.NOTICE for change in decision.changes):
        err.print(texts.decision_text(decision, hooks.BLOCKING[name]))
    if not decision.allowed:
        raise typer.Exit(1)


def _incoming(name: str, arguments: list[str]) -> None:
    """Nothing that goes wrong here may fail the git command, and nothing goes wrong in silence."""
    from ics_guard.errors import IcsGuardError  # noqa: PLC0415

    try:
        with speaking() as voice:
            project = open_for_hook(Path.cwd(), voice)
            refresh_sieve(project.repository, project.config)
            came = hooks.incoming(project, name, arguments)
        if came:
            count = len(came.changes)
            err.print(f"ics-guard: {count} schema change{'' if count == 1 else 's'} came in; {came.said}", markup=False)
            err.print(texts.changes_text(came.changes, most=10))
    except IcsGuardError as error:
        err.print(f"ics-guard: {error.message}\n  do: {error.fix}", markup=False)


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
