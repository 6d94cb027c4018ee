"""A diff that changes ics-guard.toml is judged by the configuration before it, too: nobody loosens their own gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ics_guard import config, gate, git
from ics_guard.errors import ConfigError
from ics_guard.git import Diff
from ics_guard.model import Decision
from ics_guard.project import Project, in_environment


def pass_or_block(project: Project, diffs: Sequence[Diff], *, via: str) -> Decision:
    """Given diffs, return the decision on all of them, written down: the stricter of both configurations' decisions."""
    waived = gate.waived_in(project, *diffs)
    decision = gate.pass_or_block(project, gate.find_changes(project, *diffs), via=via, waived=waived)
    before = _configured_before(project, diffs)
    if before is None:
        return decision
    earlier = gate.pass_or_block(before, gate.find_changes(before, *diffs), via=via, waived=waived)
    return _blocked_by(decision, earlier) if _is_about_the_gate(earlier) else decision


_ABOUT_PLACES = frozenset({"source-lost", "never-seen", "path-changed", "no-data"})
"""A place that was wrong before is what the diff may be mending; it says nothing about what the gate asked for."""


def _is_about_the_gate(earlier: Decision) -> bool:
    return any(reason.blocking and reason.code not in _ABOUT_PLACES for reason in earlier.reasons)


def _configured_before(project: Project, diffs: Sequence[Diff]) -> Project | None:
    """The project by the configuration that the diff replaces, None where there was none that could be used."""
    files = [file for diff in diffs for file in diff.files]
    old = next((file.before for file in files if config.NAME in (file.path, file.previous_path) and file.before), None)
    if old is None:
        return None
    text = git.read_blobs(project.repository, [old])[old].decode("utf-8-sig", "replace")
    try:
        settings = config.load(project.repository.root, text)
        earlier = in_environment(project.repository, settings, project.environment.name, project.progress)
    except ConfigError:
        return None
    return replace(earlier, began=project.began)


def _blocked_by(decision: Decision, earlier: Decision) -> Decision:
    said = "by ics-guard.toml as it was before this change: "
    reasons = tuple(replace(reason, message=said + reason.message) for reason in earlier.reasons if reason.blocking)
    known = {(change.path, change.digest) for change in decision.changes}
    more = tuple(change for change in earlier.changes if (change.path, change.digest) not in known)
    return replace(decision, allowed=False, reasons=(*decision.reasons, *reasons), changes=(*decision.changes, *more))
