"""What an edit does to the history of one Django app: facts that no single migration shows."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from ics_guard.detect.django.fields import judged_by_history
from ics_guard.detect.django.migration import migration_of
from ics_guard.detect.operations import Operation, to_change
from ics_guard.detect.python.tree import parse
from ics_guard.model import Change, Kind


@dataclass(frozen=True)
class Migration:
    """What a migration says of its place: what it depends on and replaces, as (app, name) pairs.

    `known`: it says so here; else it may depend on anything.
    """

    path: str
    line: int
    dependencies: frozenset[tuple[str, str]]
    replaces: frozenset[tuple[str, str]]
    known: bool


def django_graph_changes(
    before: Mapping[str, bytes], after: Mapping[str, bytes], changes: Iterable[Change] = ()
) -> list[Change]:
    """Given every file of one app's migrations (path -> content) before and after, and the changes of single files.

    Return these changes, the deletion of what a squash replaces told as such, and a field that is altered by what
    earlier migrations say of it; after them what the graph shows: one end of history more than before, and a dependency
    on a migration of the app that is not there.
    """
    known = dict[bytes, Migration | None]()
    old, new = _migrations(before, known), _migrations(after, known)
    squashed = {name for one in (*old.values(), *new.values()) for _, name in one.replaces}
    lacking = sorted(_lacking(new).items() - _lacking(old).items())
    facts = [_missing(name, new[name], parent) for name, parent in lacking] or _second_leaves(old, new)
    judged = judged_by_history(changes, after, _parents(new))
    return [*(_told_of_squash(change, squashed) for change in judged), *facts]


def _migrations(contents: Mapping[str, bytes], known: dict[bytes, Migration | None]) -> dict[str, Migration]:
    result = dict[str, Migration]()
    for path in sorted(contents):
        content = contents[path]
        if content not in known:
            known[content] = _read(content)
        found = known[content]
        if found is not None:
            result[PurePosixPath(path).stem] = replace(found, path=path)
    return result


def _read(content: bytes) -> Migration | None:
    module = parse(content) if b"Migration" in content else None
    migration = migration_of(module) if module else None
    if migration is None:
        return None
    dependencies, replaces = (_pairs(migration.said(name)) for name in ("dependencies", "replaces"))
    known = migration.whole or migration.said("dependencies") is not None
    return Migration("", migration.node.lineno, dependencies, replaces, known)


def _pairs(node: ast.expr | None) -> frozenset[tuple[str, str]]:
    """The (app, name) pairs of a list; what is not literal (a swappable dependency) is of another app."""
    items = node.elts if isinstance(node, ast.List | ast.Tuple) else []
    pairs = [item.elts for item in items if isinstance(item, ast.Tuple) and len(item.elts) == 2]
    return frozenset(
        (app.value, name.value)
        for app, name in pairs
        if isinstance(app, ast.Constant) and isinstance(name, ast.Constant)
        if isinstance(app.value, str) and isinstance(name.value, str)
    )


def _app(migrations: Mapping[str, Migration]) -> str:
    """The app's label: the name of its folder, unless no migration uses that; then the one used most for its own."""
    named = [pair for one in migrations.values() for pair in one.dependencies | one.replaces]
    folders = {PurePosixPath(one.path).parent.parent.name for one in migrations.values()}
    by_folder = sorted(folders.intersection(app for app, _ in named))
    own = Counter(app for app, name in named if name in migrations)
    return by_folder[0] if by_folder else own.most_common(1)[0][0] if own else ""


def _replaced(migrations: Mapping[str, Migration]) -> set[str]:
    return {name for one in migrations.values() for _, name in one.replaces}


def _parents(migrations: Mapping[str, Migration]) -> dict[str, list[str]]:
    """For each migration those of the app that it builds on, a squash in the place of what it replaced."""
    app = _app(migrations)
    instead = {name: stem for stem, one in migrations.items() for _, name in one.replaces}
    return {
        stem: [
            parent
            for label, name in sorted(one.dependencies)
            if label == app and (parent := name if name in migrations else instead.get(name, "")) not in ("", stem)
        ]
        for stem, one in migrations.items()
    }


def _lacking(migrations: Mapping[str, Migration]) -> dict[str, str]:
    app, known = _app(migrations), migrations.keys() | _replaced(migrations) | {"__first__", "__latest__"}
    return {
        stem: name
        for stem, one in migrations.items()
        for label, name in sorted(one.dependencies)
        if label == app and name not in known
    }


def _leaves(migrations: Mapping[str, Migration]) -> set[str]:
    """Ends of history: nothing of the app depends on them, nor on a squash or a part of one that they belong to."""
    app, replaced = _app(migrations), _replaced(migrations)
    needed = {name for one in migrations.values() for label, name in one.dependencies if label == app}
    return {
        stem
        for stem, one in migrations.items()
        if stem not in needed | replaced and not needed & {name for _, name in one.replaces}
    }


def _second_leaves(old: Mapping[str, Migration], new: Mapping[str, Migration]) -> Iterator[Change]:
    before, after = _leaves(old), _leaves(new)
    added = sorted(after - before)
    known = all(one.known for one in new.values())
    if known and added and len(after) > max(1, len(before)):
        others = ", ".join(sorted(after - {added[-1]}))
        yield _change("django.second_leaf", added[-1], new[added[-1]], f"({added[-1]} stands beside {others}.)")


def _missing(name: str, migration: Migration, parent: str) -> Change:
    return _change("django.parent_missing", name, migration, f"({parent} is missing.)")


def _told_of_squash(change: Change, squashed: set[str]) -> Change:
    if change.rule != "django.migration_deleted" or PurePosixPath(change.path).stem not in squashed:
        return change
    found = Operation(
        "django.replaced_deleted", change.operation, change.object, change.digest, change.line, change.column
    )
    return to_change(found, change.path, Kind.DJANGO)


def _change(rule: str, name: str, migration: Migration, detail: str) -> Change:
    found = Operation(rule, rule.partition(".")[2], name, f"{rule} {name} {detail}", migration.line, 1, detail=detail)
    return to_change(found, migration.path, Kind.DJANGO)
