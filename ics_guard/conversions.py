"""Watched files that a checkout makes something else of: git's content of them says nothing of what will be run."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

from ics_guard import git
from ics_guard.config import Watch
from ics_guard.detect import unread
from ics_guard.git import Diff, FileChange, Repository, TreeFiles
from ics_guard.model import Change

_FORMAT = re.compile(rb"\$Format:([^$\n]*)\$")
_HARMLESS = re.compile(rb"(?:%(?:[HhTtPpdD]|[ac][dDtirsI])|[\w\s:.,()-])*")
"""Ids, dates and names of refs (git-log(1), "PRETTY FORMATS")."""


class Conversions:
    """What .gitattributes convert among the watched files of some diffs."""

    def __init__(self, repository: Repository, watch: Watch, watched: Mapping[Diff, Collection[FileChange]]) -> None:
        self._repository = repository
        self._watch = watch
        ends = {end for diff, files in watched.items() for file in files for end in _ends(diff, file)}
        self._said = git.converted(repository, ends)

    def of(self, diff: Diff, file: FileChange, before: bytes | None, after: bytes | None) -> list[Change]:
        """Given a watched file of a diff and its contents, return the change that it cannot be read; [] if it can."""
        idle = git.EXPORT_SUBST if _formats(before) == _formats(after) else ""
        said = next((words for end in _ends(diff, file) if (words := self._said.get(end, idle)) != idle), "")
        kind = self._watch.kind_of(file.path) or self._watch.kind_of(file.previous_path or file.path)
        if not said or kind is None:
            return []
        return unread(kind, file.path, (file.before or "").encode(), (file.after or "").encode(), _because(said))

    def come_or_gone(self, diff: Diff) -> list[Change]:
        """Given a diff, return what changed of watched files though their content did not."""
        below = [PurePosixPath(file.path).parent for file in diff.files if _is_attributes(file.path)]
        if not below:
            return []
        touched = {path for file in diff.files for path in file.paths}
        files = TreeFiles(self._repository, diff.head)
        listed = [files.list("" if folder.name == "" else folder.as_posix()) for folder in below]
        oids = {path: oid for some in listed for path, oid in some.items()}
        paths = [path for path in sorted(oids.keys() - touched) if self._watch.kind_of(path)]
        said = git.converted(self._repository, [(tree, path) for tree in (diff.base, diff.head) for path in paths])
        archived = git.read_blobs(
            self._repository, (oids[path] for (_, path), words in said.items() if words == git.EXPORT_SUBST)
        )
        said = {
            end: words for end, words in said.items() if words != git.EXPORT_SUBST or _formats(archived[oids[end[1]]])
        }
        found = list[Change]()
        for path in paths:
            was, now = (said.get((tree, path), "") for tree in (diff.base, diff.head))
            kind = self._watch.kind_of(path)
            if kind and was != now:
                found += unread(kind, path, was.encode(), now.encode(), _because(now or f"no longer {was}"))
        return found


def _formats(content: bytes | None) -> list[bytes]:
    """What `git archive` puts text in place of that a person can choose: a message, a name, a line break."""
    return [found for found in _FORMAT.findall(content or b"") if not _HARMLESS.fullmatch(found)]


def _ends(diff: Diff, file: FileChange) -> list[tuple[str | None, str]]:
    before = [(diff.base, file.previous_path or file.path)] if file.before and not file.opaque else []
    return [*before, *([(diff.head, file.path)] if file.after and not file.opaque else [])]


def _is_attributes(path: str) -> bool:
    return PurePosixPath(path).name == git.ATTRIBUTES


def _because(said: str) -> str:
    return f"(A checkout makes another file of it: {git.ATTRIBUTES} say {said}.)"
