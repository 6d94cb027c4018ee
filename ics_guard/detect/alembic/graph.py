"""What an edit does to the graph of revisions: facts that no single file shows. One folder of revisions at a time."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter

from ics_guard.detect.alembic.identity import NAMES
from ics_guard.detect.alembic.revision import Revision, read_revision
from ics_guard.detect.operations import Operation, to_change
from ics_guard.model import Change, Kind

_TOLD = 5
"""How many revisions are named in a reason."""


@dataclass(frozen=True)
class _Graph:
    """A folder of revisions. Where several files claim one identity, the first of them by path has it."""

    contents: Mapping[str, bytes]
    paths: Mapping[str, list[str]]
    revisions: Mapping[str, Revision]
    children: Mapping[str, list[str]]
    labels: frozenset[str] = field(default=frozenset())


def graph_changes(
    before: Mapping[str, bytes], after: Mapping[str, bytes], changes: Iterable[Change] = ()
) -> list[Change]:
    """Given every file of a folder (path -> content) before and after, and the changes of single files, return all.

    The reasons of those given are completed by what the graph shows, and its own facts follow. Only what the edit
    brings is told: a folder that was broken before, in the same way, is not news.
    """
    known = dict[bytes, Revision | None]()
    old, new = _graph(before, known), _graph(after, known)
    broken = set(_faults(old, old))
    found = [fact for fact in _faults(new, old) if fact not in broken]
    return [*_completed(changes, old, new), *(_change(fact, new) for fact in (*found, *_heads(old, new)))]


@dataclass(frozen=True)
class _Fact:
    """Something that the graph shows: its rule, the revision and the file it is told of, and in words.

    It is the same thing wherever the file is moved, and whatever else is there.
    """

    rule: str
    revision: str
    path: str = field(compare=False)
    detail: str = field(compare=False)


def _graph(contents: Mapping[str, bytes], known: dict[bytes, Revision | None]) -> _Graph:
    paths, revisions = defaultdict[str, list[str]](list), dict[str, Revision]()
    for path in sorted(contents):
        content = contents[path]
        if content not in known:
            known[content] = read_revision(content)
        if revision := known[content]:
            paths[revision.revision].append(path)
            revisions.setdefault(revision.revision, revision)
    children = defaultdict[str, list[str]](list)
    for name, revision in revisions.items():
        for parent in revision.down_revisions:
            children[parent].append(name)
    labels = frozenset(label for revision in revisions.values() for label in revision.branch_labels)
    return _Graph(contents, dict(paths), revisions, dict(children), labels)


def _faults(graph: _Graph, old: _Graph) -> Iterator[_Fact]:
    """What keeps Alembic from reading the history at all, or makes it read another one."""
    for name, paths in graph.paths.items():
        if len(paths) > 1:
            added = [path for path in paths if path not in old.paths.get(name, ())]
            yield _Fact("alembic.duplicate_revision", name, (added or paths)[-1], f"({', '.join(paths)})")
    for name, revision in graph.revisions.items():
        known = graph.revisions.keys() | (graph.labels if revision.depends_on else set())
        for parent in sorted({*revision.down_revisions, *revision.depends_on} - known):
            yield _Fact("alembic.parent_missing", name, graph.paths[name][0], f"({parent} is missing.)")
    try:
        builds_on = {name: (*found.down_revisions, *found.depends_on) for name, found in graph.revisions.items()}
        TopologicalSorter(builds_on).prepare()
    except CycleError as error:
        circle = sorted(set(error.args[1]))
        yield _Fact("alembic.cycle", circle[0], graph.paths[circle[0]][0], f"({_told(circle)})")


def _heads(old: _Graph, new: _Graph) -> Iterator[_Fact]:
    """Heads beside one another in one history. Histories of their own, and branches with a label, are meant."""
    told, before, after = set[str](), set(_ends(old)), _ends(new)
    for name in after:
        if name in told or name in before:
            continue
        lineage = _lineage(new, name)
        ends = sorted(lineage.intersection(after))
        own = _reached(new, [name], _parents(new)).difference(
            *(_reached(new, [other], _parents(new)) for other in ends if other != name)
        )
        labelled = any(new.revisions[found].branch_labels for found in own)
        if len(ends) > max(1, len(lineage & before)) and not labelled:
            told.update(ends)
            others = [other for other in ends if other != name]
            yield _Fact("alembic.second_head", name, new.paths[name][0], f"({name} stands beside {_told(others)}.)")


def _ends(graph: _Graph) -> list[str]:
    return [name for name in graph.revisions if name not in graph.children]


def _parents(graph: _Graph) -> Callable[[str], Iterable[str]]:
    return lambda name: graph.revisions[name].down_revisions


def _lineage(graph: _Graph, name: str) -> set[str]:
    """What hangs together with a revision through `down_revision`; what merely depends on it does not."""
    return _reached(graph, [name], lambda at: (*graph.revisions[at].down_revisions, *graph.children.get(at, ())))


def _reached(graph: _Graph, names: Iterable[str], following: Callable[[str], Iterable[str]]) -> set[str]:
    queue, seen = list(names), set[str]()
    while queue:
        name = queue.pop()
        if name in graph.revisions and name not in seen:
            seen.add(name)
            queue += following(name)
    return seen


def _completed(changes: Iterable[Change], old: _Graph, new: _Graph) -> Iterator[Change]:
    """The changes of single files: what builds on a revision that moved, and which one is the new head."""
    told = set[str]()
    for change in changes:
        name = change.revision or ""
        children = new.children.get(name, [])
        if change.rule == "alembic.graph" and children and name in new.revisions:
            yield replace(change, reason=f"{change.reason} {_told(children)} {_build(children)} on it.")
        elif name in new.revisions and name not in old.revisions and not children and name not in told:
            told.add(name)
            yield replace(change, reason=f"{change.reason} ({name} is the new head.)")
        else:
            yield change


def _build(names: list[str]) -> str:
    return "builds" if len(names) == 1 else "build"


def _told(names: list[str]) -> str:
    more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    return ", ".join(names[:_TOLD]) + more


def _change(fact: _Fact, graph: _Graph) -> Change:
    text = graph.contents[fact.path].decode("utf-8", "replace")
    place = next(filter(None, (re.search(rf"^{name}\b", text, re.MULTILINE) for name in NAMES[1::-1])), None)
    line = text.count("\n", 0, place.start()) + 1 if place else 1
    meaning = f"{fact.rule} {fact.revision} {fact.detail}"
    name = fact.rule.partition(".")[2]
    found = Operation(fact.rule, name, fact.revision, meaning, line, 1, detail=fact.detail)
    return to_change(found, fact.path, Kind.ALEMBIC, fact.revision)
