"""Which labeller an edit goes to, by the kind of the place that it is in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import lru_cache
from pathlib import PurePosixPath

from benchmarks.replay.databases import Apply, apply_sqlite, postgres
from benchmarks.replay.embedded_labels import label_embedded
from benchmarks.replay.history import Contents
from benchmarks.replay.nouns import Commit, Edit, Label, Labelled
from benchmarks.replay.places import Places, SqlGroup
from benchmarks.replay.python_labels import label_python
from benchmarks.replay.sql_labels import SqlJudge
from ics_guard.model import Kind


class Labeller:
    """Labels the commits of one history; real engines are started when they are first needed."""

    def __init__(self, contents: Contents, places: Places, stack: ExitStack) -> None:
        self.contents = contents
        self.places = places
        self.stack = stack
        self.postgres = lru_cache(None)(self._postgres)
        self.judge = SqlJudge(contents, {"sqlite": self._sqlite, "postgres": self.postgres})
        self.kind = lru_cache(None)(places.config.watch.kind_of)
        self.group = lru_cache(None)(self._group)

    def label(self, commit: Commit) -> list[Labelled]:
        """Given a commit, return the labels of the watched files that it edits."""
        found: list[Labelled] = []
        in_groups: dict[SqlGroup, list[Edit]] = {}
        in_code: list[Edit] = []
        for edit in (part for whole in commit.edits or () for part in self._within(whole)):
            kind = self.kind(edit.path) or self.kind(edit.previous or "")
            if kind is Kind.SQL or (kind and kind is not Kind.EMBEDDED and not edit.path.endswith(".py")):
                if edit.path.endswith(".sql") or kind is Kind.SQL:
                    in_groups.setdefault(self.group(edit.path), []).append(edit)
            elif kind is Kind.EMBEDDED:
                in_code.append(edit)
            elif kind:
                found.append(self._labelled(edit, kind))
        for group, edits in in_groups.items():
            found += self.judge.label(commit, group, edits)
        labels = label_embedded([(edit.path, *self._versions(edit)) for edit in in_code])
        return found + [Labelled(edit, *label) for edit, label in zip(in_code, labels, strict=True)]

    def touches(self, commit: Commit) -> bool:
        """Given a commit, return whether it edits a watched file."""
        return any(self.kind(path) for edit in commit.edits or () for path in edit.paths)

    def _within(self, edit: Edit) -> Iterator[Edit]:
        """A file that moves into or out of what is watched is a file that comes or goes."""
        if edit.previous is None or self.kind(edit.path) is self.kind(edit.previous):
            yield edit
        else:
            yield Edit(edit.previous, None, edit.before, None)
            yield Edit(edit.path, None, None, edit.after)

    def _labelled(self, edit: Edit, kind: Kind) -> Labelled:
        before, after = self._versions(edit)
        if kind in (Kind.ALEMBIC, Kind.DJANGO):
            same = PurePosixPath(edit.path).name == PurePosixPath(edit.previous or edit.path).name
            moved = "" if edit.previous is None else "folder" if same else "name"
            return Labelled(edit, *label_python(before, after, moved=moved))
        return Labelled(edit, Label.NONE, "not scored")

    def _versions(self, edit: Edit) -> tuple[bytes | None, bytes | None]:
        blob = self.contents.blob
        return blob(edit.before) if edit.before else None, blob(edit.after) if edit.after else None

    def _group(self, path: str) -> SqlGroup:
        return next((group for group in self.places.groups if group.holds(path)), self.places.groups[-1])

    def _sqlite(self, group: SqlGroup) -> Apply:
        return lambda files: apply_sqlite(files, self._setup(group))

    def _postgres(self, group: SqlGroup) -> Apply:
        return self.stack.enter_context(postgres(self._setup(group)))

    def _setup(self, group: SqlGroup) -> str:
        return group.setup + "\n".join(self.contents.blob(name).decode("utf-8-sig") for name in group.setup_from)
