"""The schema-impacting changes of diffs: every watched file by meaning, and what only the whole diff can tell."""

from __future__ import annotations

import difflib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ics_guard import git, policy
from ics_guard.config import Watch
from ics_guard.conversions import Conversions
from ics_guard.detect import detect, unread
from ics_guard.detect.alembic.revision import Revision, read_revision
from ics_guard.detect.rules import RULES, WAY_DOWN
from ics_guard.errors import ConfigError
from ics_guard.git import Diff, FileChange
from ics_guard.histories import Histories
from ics_guard.model import Change, Kind
from ics_guard.project import Project

_LFS_POINTER = re.compile(rb"\s*version (?:https://(?:git-lfs|hawser)\.github\.com/spec/|http://git-media\.io/v/)")


_NOT_AN_EDIT = WAY_DOWN | {"alembic.reworded"}
"""What an edited revision may hold and still do the same to a database on its way up."""


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
    reading = _Reading(project, diffs)
    changes = [change for diff in diffs for change in _without_moves(reading.changes_of(diff))]
    judged = {(one.path, one.digest): one for one in with_policy(project, _without_idle_notices(changes))}
    edited = {revision: judged[key] for revision, key in reading.edited.items() if key in judged}
    return Findings(tuple(judged.values()), reading.revisions, edited)


class _Reading:
    """The watched files of diffs, each version read once, however many diffs hold it."""

    def __init__(self, project: Project, diffs: Sequence[Diff]) -> None:
        self._watch = project.config.watch
        self._files = {diff: [file for file in diff.files if self._kinds(file)] for diff in diffs}
        listed = [file for files in self._files.values() for file in files]
        self._contents = git.read_contents(project.repository, listed)
        self._histories = Histories(project.repository, self._watch, self._files)
        self._conversions = Conversions(project.repository, self._watch, self._files)
        self._found: dict[FileChange, list[Change]] = {}
        self.revisions: dict[str, Revision] = {}
        self.edited: dict[str, tuple[str, str]] = {}

    def changes_of(self, diff: Diff) -> list[Change]:
        """What each file means, with what the history that it is in makes of it."""
        changes = []
        for file in self._files[diff]:
            before, after = (self._contents[oid] if oid else None for oid in (file.before, file.after))
            if told := self._conversions.of(diff, file, before, after):
                changes += told
                continue
            if file not in self._found:
                self._found[file] = self._read(file, before, after)
            changes += self._found[file]
        return self._histories.completed(diff, [*changes, *self._conversions.come_or_gone(diff)])

    def _kinds(self, file: FileChange) -> set[Kind]:
        return {kind for path in file.paths if (kind := _kind_of(self._watch, file, path))}

    def _read(self, file: FileChange, before: bytes | None, after: bytes | None) -> list[Change]:
        found = _detect_file(self._watch, file, before, after)
        if Kind.ALEMBIC in self._kinds(file):
            was, now = (read_revision(content) if content is not None else None for content in (before, after))
            self.revisions |= {one.revision: one for one in (was, now) if one}
            upgrading = next((change for change in found if change.rule not in _NOT_AN_EDIT), None)
            if was and upgrading:
                self.edited[was.revision] = (upgrading.path, upgrading.digest)
        return found


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


def _kind_of(watch: Watch, file: FileChange, path: str) -> Kind | None:
    """How a file is to be read; a thing without content counts as what may lie behind it."""
    kind = watch.kind_of(path)
    return watch.kind_below(path, named=file.opaque == git.SYMLINK) if file.opaque and not kind else kind


def _detect_file(watch: Watch, file: FileChange, before: bytes | None, after: bytes | None) -> list[Change]:
    kind = _kind_of(watch, file, file.path)
    if file.opaque or any(content is not None and _LFS_POINTER.match(content) for content in (before, after)):
        return unread(kind, file.path, before, after) if kind and before != after else []
    if not file.previous_path or file.previous_path == file.path:
        return detect(kind, file.path, before, after) if kind else []
    previous_kind = watch.kind_of(file.previous_path)
    if kind and kind is previous_kind:
        return detect(kind, file.path, before, after, previous_path=file.previous_path)
    gone = detect(previous_kind, file.previous_path, before, None) if previous_kind else []
    return gone + (detect(kind, file.path, None, after) if kind else [])


def _without_moves(changes: list[Change]) -> list[Change]:
    """Code may keep its DDL in any file: what is gone from one and came in unchanged in another only moved."""
    came = defaultdict[str, list[Change]](list)
    for change in changes:
        if change.kind is Kind.EMBEDDED and not change.undoes:
            came[change.digest].append(change)
    moved: list[Change] = []
    for gone in changes:
        digests = gone.undoes if gone.kind is Kind.EMBEDDED else ()
        if digests and all(len(came[digest]) >= count for digest, count in Counter(digests).items()):
            moved += [gone, *(came[digest].pop() for digest in digests)]
    left = {id(change) for change in moved}
    return [change for change in changes if id(change) not in left]


def _without_idle_notices(changes: list[Change]) -> list[Change]:
    """That a model changed is worth saying where no migration goes with it."""
    migrated = any(change.kind is not Kind.MODEL for change in changes)
    return [change for change in changes if change.kind is not Kind.MODEL] if migrated else changes
