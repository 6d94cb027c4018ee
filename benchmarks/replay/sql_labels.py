"""SQL files labelled by the schemas that the trees before and after make, and by their statements."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from benchmarks.replay.databases import Apply, Schema
from benchmarks.replay.history import Contents
from benchmarks.replay.nouns import Commit, Edit, Label, Labelled
from benchmarks.replay.places import SqlGroup
from benchmarks.replay.sql_text import is_structure, statements, without_rollback

BY_TEXT = "by its text alone"
# a copy from table to table is not among them: in a rebuild it decides which rows survive
_NEUTRAL = re.compile(
    r"(?:insert(?!.* select )|select|set|begin|commit|start|end|pragma|use|analyze|vacuum|show|\\)\b", re.DOTALL
)


class SqlJudge:
    """Labels the SQL edits of commits; schemas are built once for each list of files that was ever seen."""

    def __init__(self, contents: Contents, engines: Mapping[str, Callable[[SqlGroup], Apply]]) -> None:
        self.contents = contents
        self.engines = engines
        self.schema = lru_cache(512)(self._schema)

    def label(self, commit: Commit, group: SqlGroup, edits: Sequence[Edit]) -> list[Labelled]:
        """Given the edits that a commit makes in one group, return their labels."""
        read = [(edit, *self._by_statements(edit)) for edit in edits]
        differing = [edit for edit, _, label, _ in read if label not in (Label.RENAMED, Label.FORMATTED)]
        said = self._by_engine(commit, group, edits) if differing and group.engine != "text" else BY_TEXT
        blamed = not any(label.schema for _, _, label, _ in read)
        return [self._joined(*one, said=said, blamed=blamed) for one in read]

    def _joined(self, edit: Edit, same: bool, label: Label, how: str, *, said: str, blamed: bool) -> Labelled:
        """The statements and the engine together; where they contradict each other, the engine is right."""
        if label is Label.CHANGED and said.startswith("the same schema") and BY_TEXT not in said:
            return Labelled(edit, Label.OTHER, f"{how}; but {said}")
        if blamed and said.startswith("another schema") and BY_TEXT not in said and not same:
            return Labelled(edit, Label.CHANGED, f"{said}, though {how}")
        return Labelled(edit, label, f"{how}; {said}")

    def _by_statements(self, edit: Edit) -> tuple[bool, Label, str]:
        """Whether all statements are the same, the label that follows from them, and how."""
        old, new = (self._statements(oid) for oid in (edit.before, edit.after))
        was, now = (Counter(filter(is_structure, version)) for version in (old, new))
        if was != now:
            gone, come = list(was - now), list(now - was)
            told = f"gone: {_short(gone)}; come: {_short(come)}"
            if edit.before is None or (not was and now):
                return False, Label.ADDED, told
            return False, Label.DELETED if not now else Label.CHANGED, told
        if old == new and edit.before and edit.after:
            kind = Label.RENAMED if edit.before == edit.after else Label.FORMATTED
            return True, kind if old else Label.NONE, "the same statements"
        others = Counter(old) - Counter(new) + (Counter(new) - Counter(old))
        if others and all(_NEUTRAL.match(statement) for statement in others):
            return False, Label.NONE, "no statement of DDL differs, and no row is changed or deleted"
        return False, Label.OTHER if others or old != new else Label.NONE, "no statement of DDL differs"

    def _statements(self, oid: str | None) -> list[str]:
        return statements(self.contents.blob(oid).decode("utf-8", "replace")) if oid else []

    def _by_engine(self, commit: Commit, group: SqlGroup, edits: Sequence[Edit]) -> str:
        alone = {path for edit in edits for path in edit.paths if group.is_alone(path)}
        touched = {path for edit in edits for path in edit.paths if group.applies(path)} - alone
        names = [commit.parent, commit.oid]
        before, after = (self._files(name, group, touched, alone) for name in names)
        pairs = [(self.schema(group, one), self.schema(group, other)) for one, other in zip(before, after, strict=True)]
        failed = {path for pair in pairs for schema in pair for path in schema.failed} & (touched | alone)
        whole = "" if not failed else f" as far as it applies, so {BY_TEXT} (not {', '.join(sorted(failed)[:3])})"
        same = all(one.lines == other.lines for one, other in pairs)
        return f"{'the same' if same else 'another'} schema in {group.engine}{whole}" if pairs else BY_TEXT

    def _files(
        self, commit: str | None, group: SqlGroup, touched: set[str], alone: set[str]
    ) -> list[tuple[tuple[str, str], ...]]:
        """The lists of files with the ids of their contents that make a schema each: all in order, then each alone."""
        files = self.contents.files(commit) if commit else {}
        if not touched:
            lists: list[tuple[tuple[str, str], ...]] = []
        else:
            mine = (path for path in files if group.holds(path) and group.applies(path) and not group.is_alone(path))
            lists = [tuple((path, files[path]) for path in sorted(mine, key=_in_order))]
        return lists + [((path, files[path]),) if path in files else () for path in sorted(alone)]

    def _schema(self, group: SqlGroup, files: tuple[tuple[str, str], ...]) -> Schema:
        texts = [(path, self.contents.blob(oid).decode("utf-8-sig", "replace")) for path, oid in files]
        return self.engines[group.engine](group)([(path, without_rollback(text)) for path, text in texts])


def _in_order(path: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", path)]


def _short(found: list[str]) -> str:
    return " | ".join(one[:60] for one in found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
