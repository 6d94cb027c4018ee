"""The schema-impacting changes of diffs: every watched file by meaning, and what only the whole diff can tell."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ics_guard import git, policy
from ics_guard.detect import detect, unread
from ics_guard.detect.alembic import Revision, read_revision
from ics_guard.detect.rules import RULES
from ics_guard.errors import ConfigError
from ics_guard.git import Diff, FileChange
from ics_guard.model import Change, Kind
from ics_guard.project import Project

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True)
class Findings:
    """The changes of diffs, the Alembic revisions that the diffs' own files hold, and those among them that changed.

    `edited` has, for each revision that was there before, a change that the edit (or deletion) of its upgrade means.
    """

    changes: tuple[Change, ...]
    revisions: Mapping[str, Revision]
    edited: Mapping[str, Change]


def find_changes(project: Project, *diffs: Diff) -> Findings:
    """Given diffs, return their schema-impacting changes, severities by policy, sources attached.

    Raise `ConfigError` for a rule in the policy that there is not, `UsageError` for a file that git does not have.
    """
    _refuse_unknown_rules(project)
    watch = project.config.watch
    files = [
        file
        for file in dict.fromkeys(file for diff in diffs for file in diff.files)
        if watch.kind_of(file.path) or (file.previous_path and watch.kind_of(file.previous_path))
    ]
    blobs = git.read_blobs(project.repository, {oid for file in files for oid in (file.before, file.after) if oid})
    changes: list[Change] = []
    revisions: dict[str, Revision] = {}
    edited: dict[str, tuple[str, str]] = {}
    for file in files:
        before = blobs[file.before] if file.before else None
        after = blobs[file.after] if file.after else None
        found = _detect_file(project, file, before, after)
        changes += found
        if Kind.ALEMBIC in (watch.kind_of(file.path), watch.kind_of(file.previous_path or "")):
            was, now = (read_revision(content) if content is not None else None for content in (before, after))
            revisions |= {one.revision: one for one in (was, now) if one}
            if was and (upgrading := next((c for c in found if c.rule not in _WAY_DOWN), None)):
                edited[was.revision] = (upgrading.path, upgrading.digest)
    judged = {(one.path, one.digest): one for one in with_policy(project, _without_idle_notices(changes))}
    return Findings(tuple(judged.values()), revisions, {name: judged[key] for name, key in edited.items()})


_WAY_DOWN = frozenset({"alembic.downgrade_changed"})


def with_policy(project: Project, changes: Iterable[Change]) -> tuple[Change, ...]:
    """Given changes, return each once, with the severity that policy gives it and the sources that answer for it."""
    ruled = policy.with_rules(changes, project.environment.policy.rules)
    sourced = {(one.path, one.digest): replace(one, sources=_guarding(project, one)) for one in ruled}
    return tuple(sourced.values())


def _guarding(project: Project, change: Change) -> tuple[str, ...]:
    sources = (source for source in project.environment.sources.values() if source.gate)
    everyone = change.kind is Kind.CONFIG  # what is asked of them all is every source's business
    return tuple(source.name for source in sources if everyone or source.guards_path(change.path))


def _refuse_unknown_rules(project: Project) -> None:
    for name in project.environment.policy.rules:
        if name not in RULES:
            near = difflib.get_close_matches(name, RULES, 1, 0.0)
            raise ConfigError(
                "unknown-rule", f"there is no rule {name!r} for [policy.rules]", f"did you mean {near[0]}?"
            )


def _detect_file(project: Project, file: FileChange, before: bytes | None, after: bytes | None) -> list[Change]:
    watch = project.config.watch
    kind = watch.kind_of(file.path)
    if file.symlink or any(content is not None and content.startswith(_LFS_POINTER) for content in (before, after)):
        return unread(kind, file.path, before, after) if kind and before != after else []
    if not file.previous_path or file.previous_path == file.path:
        return detect(kind, file.path, before, after) if kind else []
    previous_kind = watch.kind_of(file.previous_path)
    if kind and kind is previous_kind:
        return detect(kind, file.path, before, after, previous_path=file.previous_path)
    gone = detect(previous_kind, file.previous_path, before, None) if previous_kind else []
    return gone + (detect(kind, file.path, None, after) if kind else [])


def _without_idle_notices(changes: list[Change]) -> list[Change]:
    """That a model changed is worth saying where no migration goes with it."""
    migrated = any(change.kind is not Kind.MODEL for change in changes)
    return [change for change in changes if change.kind is not Kind.MODEL] if migrated else changes
