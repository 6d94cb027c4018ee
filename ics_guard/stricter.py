"""Diffs judged by every configuration that has a say, the strictest counts: nobody loosens their own gate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ics_guard import config, gate
from ics_guard.changes import Findings, find_changes, with_policy
from ics_guard.errors import UsageError
from ics_guard.git import Diff
from ics_guard.loosening import about_the_gate
from ics_guard.model import Change, Decision, Evidence, Reason
from ics_guard.policy import asks
from ics_guard.project import Project
from ics_guard.trust import evidence_for
from ics_guard.views import View, views

_NOT_TO_BE_HAD = frozenset(
    {"unknown-ref", "no-merge-base", "missing-object", "no-range", "ambiguous-ref", "cannot-merge"}
)
"""What git cannot tell from here: no mistake of the person who asks, and no reason to let anything pass."""


def pass_or_block(project: Project, diffs: Sequence[Diff], *, via: str) -> Decision:
    """Given diffs, return the decision on all of them, written down: the strictest of all configurations' decisions."""
    decisions = [_judged(view, via) for view in views(project, diffs)]
    return _joined(decisions) if len(decisions) != 1 else decisions[0]


def not_to_be_had(error: UsageError) -> Decision:
    """Given why a diff cannot be made here, return the decision: it blocks, with the fix. Raise what is misuse."""
    if error.code not in _NOT_TO_BE_HAD:
        raise error
    return Decision(False, (Reason(error.code, "", error.message, error.fix),), ())


def changes_of(project: Project, diffs: Sequence[Diff]) -> tuple[Change, ...]:
    """Given diffs, return their changes as any configuration that has a say sees them, and where less is asked."""
    found = list[Change]()
    for view in reversed(views(project, diffs)):
        about = about_the_gate(view)
        for one in (view.now, *(other for _, other in view.others)):
            found += _findings(one, view, about).changes
    return _worst(found)


def _judged(view: View, via: str) -> Decision:
    now, others = view.now, view.others
    if any(project.environment.policy.on_missing == "refuse" for _, project in others):
        rules = replace(now.environment.policy, on_missing="refuse")
        now = replace(now, environment=replace(now.environment, policy=rules))
    about = about_the_gate(view)
    findings = _findings(now, view, about)
    decision = gate.pass_or_block(now, findings, via=via, evidence=_evidence(now, view, findings))
    for words, project in others:
        findings = _findings(project, view, about)
        decision = _stricter(decision, gate.judge(project, findings, _evidence(project, view, findings)), words)
    return decision


def _findings(project: Project, view: View, about: Sequence[Change]) -> Findings:
    """What the diffs change, as one configuration sees it, and `about` the gate itself, which concerns them all."""
    findings = find_changes(project, *view.diffs)
    more = (*gate.applied_edits(project, findings), *with_policy(project, about))
    return replace(findings, changes=(*findings.changes, *more))


def _evidence(project: Project, view: View, findings: Findings) -> Evidence:
    asked = [change for change in findings.changes if asks(change, project.environment.policy)]
    return evidence_for(project, view.diffs, asked) if asked else Evidence()


def _stricter(decision: Decision, other: Decision, words: str) -> Decision:
    said = f"by {config.NAME} {words}: "
    reasons = [replace(reason, message=said + reason.message) for reason in other.reasons if reason.blocking]
    already = {(reason.code, reason.source) for reason in decision.reasons if reason.blocking}
    more = [reason for reason in reasons if (reason.code, reason.source) not in already]
    return replace(
        decision,
        allowed=decision.allowed and not reasons,
        reasons=(*decision.reasons, *more),
        changes=_worst((*decision.changes, *other.changes)),
        ways={**other.ways, **decision.ways},
    )


def _worst(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Each change once, with the worst that any configuration says of it."""
    found: dict[tuple[str, str], Change] = {}
    for change in changes:
        already = found.setdefault((change.path, change.digest), change)
        if change.severity.rank < already.severity.rank:
            found[change.path, change.digest] = change
    return tuple(found.values())


def _joined(decisions: Sequence[Decision]) -> Decision:
    """Several decisions as one: it allows what all of them allow."""
    return Decision(
        all(decision.allowed for decision in decisions),
        tuple(dict.fromkeys(reason for decision in decisions for reason in decision.reasons)),
        tuple({(c.path, c.digest): c for decision in decisions for c in decision.changes}.values()),
        tuple({record.backup.id: record for decision in decisions for record in decision.backups}.values()),
        {digest: ways for decision in decisions for digest, ways in decision.ways.items()},
    )
