"""Diffs judged by the configuration that they lead to and by the one they come from: nobody loosens their own gate."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ics_guard import config, gate, git
from ics_guard.changes import Findings, find_changes, with_policy
from ics_guard.detect.rules import RULES
from ics_guard.errors import ConfigError, UsageError
from ics_guard.git import Diff, Repository, TreeFiles
from ics_guard.model import Change, Decision, Evidence, Kind, Progress, Reason
from ics_guard.project import Project, in_environment
from ics_guard.trust import SIGNERS, evidence_for

_NOT_TO_BE_HAD = frozenset({"unknown-ref", "no-merge-base", "missing-object", "no-range"})
"""What git cannot tell from here: no mistake of the person who asks, and no reason to let anything pass."""

_Version = tuple[str, ...]


@dataclass(frozen=True)
class View:
    """Diffs that share their configurations: `head` as it will be, `base` as it was (None: there was none).

    `now` is the one that a person sees and works with: for what is staged that of the work tree, else `head`.
    """

    now: Project
    head: Project
    base: Project | None
    diffs: tuple[Diff, ...]

    @property
    def others(self) -> tuple[tuple[str, Project], ...]:
        """Every other configuration that has a say, with the words for it."""
        named = (("as it is staged", self.head), ("as it was before this change", self.base))
        return tuple((words, one) for words, one in named if one and one.config != self.now.config)


def pass_or_block(project: Project, diffs: Sequence[Diff], *, via: str) -> Decision:
    """Given diffs, return the decision on all of them, written down: the stricter of both configurations' decisions."""
    decisions = [_judged(view, via) for view in views(project, diffs)]
    return _joined(decisions) if len(decisions) != 1 else decisions[0]


def not_to_be_had(error: UsageError) -> Decision:
    """Given why a diff cannot be made here, return the decision: it blocks, with the fix. Raise what is misuse."""
    if error.code not in _NOT_TO_BE_HAD:
        raise error
    return Decision(False, (Reason(error.code, "", error.message, error.fix),), ())


def changes_of(project: Project, diffs: Sequence[Diff]) -> tuple[Change, ...]:
    """Given diffs, return their changes by the configuration that they lead to, and where that asks for less."""
    return tuple(change for view in views(project, diffs) for change in _findings(view).changes)


def opened_for(repository: Repository, diff: Diff, env: str, progress: Progress) -> Project:
    """Given a diff, return the project in an environment ("" for the default).

    A diff that takes ics-guard.toml away is judged by the one that it takes away. Raise `ConfigError` where there is
    none at all.
    """
    try:
        settings = config.load(repository.root)
    except ConfigError as error:
        if error.code != "config-missing":
            raise
        trees = (TreeFiles(repository, tree) for tree in (diff.head, diff.base))
        there = next((files for files in trees if files.read(config.NAME) is not None), None)
        if there is None:
            raise
        settings = config.load(repository.root, files=there)
    return in_environment(repository, settings, env, progress)


def views(project: Project, diffs: Sequence[Diff]) -> list[View]:
    """Given diffs, return them by the configurations at their heads and bases.

    A head without ics-guard.toml is judged by that of the work tree, which may not be committed yet. Raise
    `ConfigError` if the configuration at a head is wrong.
    """
    at = _Configurations(project, {tree for diff in diffs for tree in (diff.base, diff.head)})
    grouped: dict[tuple[_Version, _Version], list[Diff]] = defaultdict(list)
    for diff in diffs:
        grouped[at.version(diff.head), at.version(diff.base)].append(diff)
    found = []
    for some in grouped.values():
        head = at.project(some[0].head, strict=True) or project
        now = project if some[0].head is None else head
        found.append(View(now, head, at.project(some[0].base, strict=False), tuple(some)))
    return found


class _Configurations:
    """The configuration at each of many trees, read once for each version of the files that decide it."""

    def __init__(self, project: Project, trees: set[str | None]) -> None:
        self._project = project
        self._names = (config.NAME, *project.config.inputs, SIGNERS)
        self._versions = git.versions(project.repository, trees, self._names)
        self._read: dict[_Version, Project | None] = {}

    def version(self, tree: str | None) -> _Version:
        return self._versions[tree]

    def project(self, tree: str | None, *, strict: bool) -> Project | None:
        version = self.version(tree)
        if version not in self._read:
            self._read[version] = self._load(tree, strict=strict) if version[0] else None
        return self._read[version]

    def _load(self, tree: str | None, *, strict: bool) -> Project | None:
        project = self._project
        try:
            settings = config.load(project.repository.root, files=TreeFiles(project.repository, tree))
            name = project.environment.name if project.named else ""
            return replace(in_environment(project.repository, settings, name, project.progress), began=project.began)
        except ConfigError:
            if strict:
                raise
            return None


def _judged(view: View, via: str) -> Decision:
    now = view.now
    if any(project.environment.policy.on_missing == "refuse" for _, project in view.others):
        rules = replace(now.environment.policy, on_missing="refuse")
        now = replace(now, environment=replace(now.environment, policy=rules))
    decision = _decided(now, view.diffs, _findings(view), via)
    for words, project in view.others:
        other = _decided(project, view.diffs, _found(project, view.diffs), via)
        if _is_about_the_gate(other):
            decision = _blocked_by(decision, other, words)
    return decision


def _decided(project: Project, diffs: tuple[Diff, ...], findings: Findings, via: str) -> Decision:
    asked = [change for change in findings.changes if change.severity in project.environment.policy.require_backup]
    evidence = evidence_for(project, diffs, asked) if asked else Evidence()
    return gate.pass_or_block(project, findings, via=via, evidence=evidence)


def _findings(view: View) -> Findings:
    findings = _found(view.now, view.diffs)
    if view.base is None:
        return findings
    loosened = with_policy(view.now, (*_loosened(view, view.base), *_new_signers(view)))
    return replace(findings, changes=(*findings.changes, *loosened))


def _found(project: Project, diffs: Sequence[Diff]) -> Findings:
    findings = find_changes(project, *diffs)
    return replace(findings, changes=(*findings.changes, *gate.applied_edits(project, findings)))


def _loosened(view: View, base: Project) -> Iterable[Change]:
    before, after = TreeFiles(base.repository, view.diffs[0].base), TreeFiles(base.repository, view.diffs[0].head)
    if base.config != view.head.config:
        text = (after.read(config.NAME) or b"").decode("utf-8-sig", "replace")
        for found in config.loosenings(base.config, view.head.config):
            yield _asking_less("config.loosened", ".".join(found.key), found.said, config.line_of(text, found.key))
    if before.read(config.NAME) is not None and after.read(config.NAME) is None:
        yield _asking_less("config.loosened", config.NAME, "the file is gone", 1)


def _new_signers(view: View) -> Iterable[Change]:
    diff = view.diffs[0]
    was, now = (TreeFiles(view.head.repository, tree).read(SIGNERS) or b"" for tree in (diff.base, diff.head))
    for line in now.decode("utf-8", "replace").splitlines():
        if (
            line.strip()
            and not line.lstrip().startswith("#")
            and line not in was.decode("utf-8", "replace").splitlines()
        ):
            who = line.split()[0]
            yield _asking_less("config.signer", who, f"{who} may sign evidence", 1, path=SIGNERS, meaning=line)


def _asking_less(rule: str, thing: str, said: str, line: int, *, path: str = config.NAME, meaning: str = "") -> Change:
    told = RULES[rule]
    digest = hashlib.sha256(f"{rule}\n{thing}\n{meaning or said}".encode()).hexdigest()
    reason = f"{told.reason} Here: {said}."
    operation = rule.partition(".")[2]
    return Change(path, max(line, 1), 1, Kind.CONFIG, rule, operation, thing, told.severity, reason, digest)


_ABOUT_PLACES = frozenset({"source-lost", "never-seen", "path-changed", "no-data"})
"""A place that was wrong before is what the diff may be mending; it says nothing about what the gate asked for."""


def _is_about_the_gate(other: Decision) -> bool:
    return any(reason.blocking and reason.code not in _ABOUT_PLACES for reason in other.reasons)


def _blocked_by(decision: Decision, other: Decision, words: str) -> Decision:
    said = f"by {config.NAME} {words}: "
    reasons = [replace(reason, message=said + reason.message) for reason in other.reasons if reason.blocking]
    already = {reason.code for reason in decision.reasons if reason.blocking}
    more = [reason for reason in reasons if reason.code not in already]
    known = {(change.path, change.digest) for change in decision.changes}
    others = tuple(change for change in other.changes if (change.path, change.digest) not in known)
    return replace(decision, allowed=False, reasons=(*decision.reasons, *more), changes=(*decision.changes, *others))


def _joined(decisions: Sequence[Decision]) -> Decision:
    """Several decisions as one: it allows what all of them allow."""
    return Decision(
        all(decision.allowed for decision in decisions),
        tuple(dict.fromkeys(reason for decision in decisions for reason in decision.reasons)),
        tuple({(c.path, c.digest): c for decision in decisions for c in decision.changes}.values()),
        tuple({record.backup.id: record for decision in decisions for record in decision.backups}.values()),
        {digest: ways for decision in decisions for digest, ways in decision.ways.items()},
    )
