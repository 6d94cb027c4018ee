"""restore: plan, preview, and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from ics_guard import plan as plans
from ics_guard import restore as restores
from ics_guard.cli.app import RETURN, EnvOption, JsonOption, YesOption, app, here, parse_moment
from ics_guard.cli.voice import out, show, speaking
from ics_guard.errors import UsageError
from ics_guard.plan import Plan
from ics_guard.report import documents, texts
from ics_guard.sources.sqlite.holders import in_words
from ics_guard.words import moment


@app.command(rich_help_panel=RETURN)
def restore(
    which: Annotated[str, typer.Argument(metavar="[BACKUP|latest]", help="A backup's id, or latest.")] = "latest",
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="WHEN",
            help="The newest from before then; local time without a zone.",
        ),
    ] = "",
    revision: Annotated[str, typer.Option("--revision", metavar="R", help="The newest at this Alembic revision.")] = "",
    source: Annotated[str, typer.Option("--source", metavar="S", help="Which database, where there are several.")] = "",
    into: Annotated[
        Path | None, typer.Option("--into", metavar="PATH", help="Restore to a new file; the live one is not touched.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan and what would be lost; do nothing.")
    ] = False,
    yes: YesOption = False,
    env: EnvOption = "",
    as_json: JsonOption = False,
) -> None:
    """Bring data back: plan, preview of what is lost, safety copy, restore, checks, and back again if they fail.

    Exit 4: it failed and the previous state is live. Exit 5: that failed too; the commands to type are printed.
    Example: ics-guard restore latest --dry-run
    """
    with speaking() as voice:
        project = here(env, voice)
        chosen, record, why = plans.choose(
            project, which, source, at=parse_moment(at) if at else None, revision=revision
        )
        if into:
            checks = restores.unpack_into(project, record, into)
            voice.finish()
            data: dict[str, object] = {
                "backup": record.backup.id,
                "into": str(into),
                "checks": documents.checks_document(checks),
            }
            head = Text(f"{record.backup.id} restored to {into}; the live database was not touched")
            show(Group(head, texts.checks_text(checks)), data, as_json=as_json)
            return
        if as_json and not (dry_run or yes):
            raise _needs_yes()
        plan = plans.make_plan(project, chosen, record, why, preview=dry_run or not yes)
        voice.finish()
        if dry_run:
            show(_plan_text(plan), _plan_document(plan), as_json=as_json)
            return
        if not yes:
            _ask(plan)
        outcome = restores.execute(project, plan)
    data = {
        "outcome": outcome.outcome,
        "source": chosen.name,
        "backup": outcome.backup.id,
        "safety_backup": outcome.safety.id if outcome.safety else None,
        "checks": documents.checks_document(outcome.checks),
        "seconds": outcome.seconds,
    }
    show(_outcome_text(plan, outcome, project.commit[0]), data, as_json=as_json)


def _ask(plan: Plan) -> None:
    out.print(_plan_text(plan))
    if not sys.stdin.isatty():
        raise _needs_yes()
    if not typer.confirm("Restore it now?"):
        raise UsageError("declined", "nothing was changed", "")


def _needs_yes() -> UsageError:
    return UsageError("needs-yes", "a restore changes live data, and nobody is here to ask", "add --yes")


def _plan_text(plan: Plan) -> RenderableType:
    parts: list[RenderableType] = [
        Text.assemble(("restore ", "bold"), plan.backup.id, f" ({plan.why}), taken {moment(plan.backup.imaged_at)}"),
        Text(f"  over: {plan.live or plan.path}"),
        texts.losses_text(plan.losses),
        *texts.schema_text(plan.returns, plan.vanishes),
    ]
    if plan.holders:
        parts.append(Text(f"  in use by {in_words(plan.holders)}: they will see the restored data", "yellow"))
    parts += [Text(f"  {number}. {step}") for number, step in enumerate(plan.steps, 1)]
    return Group(*parts)


def _plan_document(plan: Plan) -> dict[str, object]:
    return {
        "source": plan.source.name,
        "backup": plan.backup.id,
        "why": plan.why,
        "live": plan.live,
        "holders": [{"pid": holder.pid, "command": holder.command} for holder in plan.holders],
        "losses": None if plan.losses is None else documents.losses_document(plan.losses),
        "schema": {"returns": list(plan.returns), "vanishes": list(plan.vanishes)},
        "steps": list(plan.steps),
    }


def _outcome_text(plan: Plan, outcome: restores.Outcome, checked_out: str) -> RenderableType:
    parts: list[RenderableType] = [
        Text.assemble(("restored ", "bold green"), f"{outcome.backup.id} to {plan.path} in {outcome.seconds:.1f} s"),
        texts.checks_text(outcome.checks),
    ]
    if outcome.safety and outcome.safety.files:
        parts.append(Text(f"  what was there before is kept: ics-guard restore {outcome.safety.id}"))
    if plan.backup.commit not in ("", checked_out):
        parts.append(Text(f"  the commit checked out when it was taken: git switch --detach {plan.backup.commit[:12]}"))
    return Group(*parts)
