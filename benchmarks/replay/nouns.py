"""The nouns of a replay: an edit of one file, what it truly is, what was found in it, and how a commit is scored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Label(StrEnum):
    """What an edit truly is. The order matters: a commit bears the first label that one of its files bears."""

    ADDED = "added"
    DELETED = "deleted"
    CHANGED = "changed"
    UNREADABLE = "unreadable"
    OTHER = "other"
    FORMATTED = "formatted"
    RENAMED = "renamed"
    NONE = "none"

    @property
    def schema(self) -> bool:
        """Whether the engine has to speak."""
        return self in (Label.ADDED, Label.DELETED, Label.CHANGED)

    @property
    def silent(self) -> bool:
        """Whether the engine has to be silent. Where it neither has to speak nor to be silent, nothing is scored."""
        return self in (Label.FORMATTED, Label.RENAMED, Label.NONE)


MEANINGS = {
    Label.ADDED: "adds a migration or DDL",
    Label.DELETED: "deletes a migration or DDL",
    Label.CHANGED: "changes the code of a migration, or DDL",
    Label.UNREADABLE: "no version of the language or engine reads it; not scored",
    Label.OTHER: "rows, privileges, order, or other words for the same code; not scored",
    Label.FORMATTED: "formatting, comments, annotations, imports only",
    Label.RENAMED: "moved or renamed only",
    Label.NONE: "no schema content",
}


@dataclass(frozen=True)
class Edit:
    """One file of a commit against its first parent. `before` and `after` are ids of blobs, None where it is absent."""

    path: str
    previous: str | None
    before: str | None
    after: str | None

    @property
    def paths(self) -> frozenset[str]:
        """Both names of a renamed file, else its one name."""
        return frozenset({self.path, self.previous or self.path})


@dataclass(frozen=True)
class Commit:
    """A commit, its first parent (None for a root), and what it edits: None if the clone lacks objects of it."""

    oid: str
    parent: str | None
    edits: tuple[Edit, ...] | None


@dataclass(frozen=True)
class Labelled:
    """An edit with its label and how the label came about, in words."""

    edit: Edit
    label: Label
    how: str


@dataclass(frozen=True)
class Found:
    """One change that the engine reported: in which file, by which rule, and whether it is a notice only."""

    path: str
    rule: str
    notice: bool


@dataclass(frozen=True)
class Disagreement:
    """A file at which label and engine differ: missed, or a false alarm.

    `notice only`: seen, in a commit of which nothing was called worse than a notice, so that nothing would be held.
    """

    commit: str
    path: str
    what: str
    label: Label
    how: str
    rules: tuple[str, ...]


@dataclass(frozen=True)
class Scored:
    """A commit with the labels of its files, and the files at which the engine disagrees.

    `counts`: the labels that the commit counts under, and whether the engine agrees: each schema label of its files,
    or, if none has one, the first label in the order of `Label`. `told`: the files that it spoke of.
    """

    oid: str
    counts: Mapping[Label, bool]
    files: tuple[Labelled, ...]
    disagreements: tuple[Disagreement, ...]
    told: frozenset[str] = frozenset()


def score(commit: Commit, labelled: Iterable[Labelled], found: Iterable[Found]) -> Scored:
    """Given a commit, the labels of its watched files and what the engine found, return how they compare.

    A commit with schema content counts as recalled only if every file that bears some was found; one without counts as
    silent only if nothing but notices was said.
    """
    labels, reports = list(labelled), list(found)
    disagreements = [
        Disagreement(commit.oid, one.edit.path, what, one.label, one.how, rules)
        for one in labels
        for what, rules in _compared(one, reports)
        if what != "notice only" or all(report.notice for report in reports)
    ]
    known = {path for one in labels for path in one.edit.paths}
    disagreements += [
        Disagreement(commit.oid, one.path, "false alarm", Label.NONE, "no watched file of this name", (one.rule,))
        for one in reports
        if one.path not in known and not one.notice
    ]
    borne = {one.label for one in labels}
    counted = {label for label in borne if label.schema} or {
        next((kind for kind in Label if kind in borne), Label.NONE)
    }
    counts = {label: not any(_against(label, one) for one in disagreements) for label in counted}
    told = frozenset(one.path for one in reports if not one.notice)
    return Scored(commit.oid, counts, tuple(labels), tuple(disagreements), told)


def _against(label: Label, one: Disagreement) -> bool:
    return one.what == "missed" and one.label is label if label.schema else one.what == "false alarm"


def _compared(one: Labelled, reports: list[Found]) -> list[tuple[str, tuple[str, ...]]]:
    mine = [report for report in reports if report.path in one.edit.paths]
    rules = tuple(sorted({report.rule for report in mine}))
    loud = any(not report.notice for report in mine)
    if one.label.schema and not mine:
        return [("missed", ())]
    if one.label.schema and not loud:
        return [("notice only", rules)]
    if one.label.silent and loud:
        return [("false alarm", rules)]
    return []
