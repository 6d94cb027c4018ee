"""What the git hooks call: the blocking ones ask the gate, the incoming ones see migrations before they are run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ics_guard import config, git, known, ledger, stricter
from ics_guard.backup import back_up
from ics_guard.changes import find_changes
from ics_guard.errors import IcsGuardError, UsageError
from ics_guard.install import installed
from ics_guard.model import Change, Decision, Severity
from ics_guard.project import Project

_PATIENCE_SECONDS = 3.0  # git has done its work already, and somebody waits for the prompt
BLOCKING = {"pre-commit": "commit", "pre-merge-commit": "merge", "pre-push": "push"}
INCOMING = ("post-merge", "post-checkout", "post-rewrite")


@dataclass(frozen=True)
class Incoming:
    """Migrations that a pull, switch or rebase brought, and the way back that now stands, in words."""

    changes: tuple[Change, ...]
    said: str


def from_framework(name: str, environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """Given `framework` or `framework-incoming`, return the git hook and arguments that pre-commit stands for."""
    hook, arguments = git.framework_stage(environ)
    expected = INCOMING if name == "framework-incoming" else tuple(BLOCKING)
    if hook not in expected:
        raise UsageError(
            "framework-stage",
            f"pre-commit runs this hook at {hook}, where it has nothing to do",
            f"let it run at: {', '.join(expected)}",
        )
    return hook, arguments


def blocking(project: Project, hook: str, arguments: list[str], stdin: bytes) -> Decision:
    """Given pre-commit, pre-merge-commit or pre-push with what git passed, return the decision, written down."""
    repository = project.repository
    if hook != "pre-push":
        return stricter.pass_or_block(project, [git.staged(repository)], via=hook)
    apart = (config.NAME, *project.config.inputs)
    if "PRE_COMMIT" in os.environ and not stdin:
        diffs = git.framework_pushes(repository, os.environ, apart)
    else:
        remote, url = (*arguments, "", "")[:2]
        diffs = git.pushes(repository, stdin, remote, url, apart)
    return stricter.pass_or_block(project, diffs, via=hook)


def incoming(project: Project, hook: str, arguments: list[str], stdin: bytes) -> Incoming | None:
    """Given a post-merge, post-checkout or post-rewrite, return what came in, protected as policy says; or None.

    What cannot be protected is told in `said`. Raise `UsageError` where git cannot tell what came in.
    """
    wish, repository = project.environment.policy.on_incoming, project.repository
    if wish == "off" or (hook == "post-rewrite" and "post-checkout" in installed(repository).hooks):
        return None  # a rebase begins with a checkout, at which it was told
    diff = git.arrived(repository, hook, arguments, stdin)
    found = find_changes(project, diff).changes if diff else ()
    came = tuple(change for change in found if change.severity is not Severity.NOTICE)
    if not came or (hook == "post-merge" and _judged_just_now(project, came)):
        return None
    names = sorted({name for change in came for name in change.sources})
    here = [name for name in names if project.source_path(project.environment.sources[name]).exists()]
    if not here:
        return Incoming(came, _nothing_here(project, names))
    if wish == "warn":
        return Incoming(came, "run `ics-guard backup` before you apply them")
    project = replace(project, patience=_PATIENCE_SECONDS)
    try:
        results = back_up(project, project.select(here))
    except IcsGuardError as error:
        return Incoming(came, f"no backup could be made: {error.message}\n  do: {error.fix}")
    ways = ", ".join(result.record.backup.id for result in results)
    said = f"the way back to before them is {ways}"
    project.record(
        "incoming",
        ",".join(here),
        {"via": hook, "changes": len(came), "backups": [r.record.backup.id for r in results]},
    )
    return Incoming(came, said)


def _nothing_here(project: Project, names: list[str]) -> str:
    remembered = known.load(project.repository.common_dir)
    met = [name for name in names if (one := remembered.source(project.environment.name, name)) and one.seen_at]
    if met:
        return f"{', '.join(met)} was here and is GONE; to have it back: ics-guard restore latest --source {met[0]}"
    return "there is no data here to keep before them"


def _judged_just_now(project: Project, changes: tuple[Change, ...]) -> bool:
    """A clean merge was judged by pre-merge-commit before HEAD moved; twice for one pull is once too often."""
    newest, since = next(reversed(ledger.read(project.store)), None), git.stood_since(project.repository)
    if newest is None or newest.event != "gate" or newest.data.get("via") not in ("pre-commit", "pre-merge-commit"):
        return False
    judged = {change["digest"] for change in newest.data["changes"]}
    here = since is not None and newest.at >= since
    return here and newest.data["verdict"] == "allow" and judged >= {change.digest for change in changes}
