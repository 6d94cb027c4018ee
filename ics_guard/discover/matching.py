"""Which of the databases here this repository's schema code is about: told by content first, then by name."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum

from ics_guard.config.patterns import literal
from ics_guard.discover.alembic_setups import Setup
from ics_guard.discover.mentions import Mention, find_mentions, is_throwaway
from ics_guard.discover.nouns import Database
from ics_guard.discover.schema_code import SchemaCode
from ics_guard.discover.sqlite_files import Reading, find_databases, read_database
from ics_guard.discover.worktree import WorkTree, is_aside


class _Rank(IntEnum):
    """How sure it is that a database is meant, the surest first."""

    REVISION = 0
    TABLES = 1
    NAMED = 2
    ALONE = 3
    NOTHING = 4
    ASIDE = 5


@dataclass(frozen=True)
class _Candidate:
    database: Database
    rank: _Rank
    setup: Setup | None
    likeness: tuple[bool, bool, int, int]


def match_databases(tree: WorkTree, schema: SchemaCode) -> tuple[tuple[Database, ...], tuple[str, ...]]:
    """Given a work tree and its schema code, return its databases, best first, and what must be asked about them.

    One is chosen for each Alembic environment that has one, or else the best there is, or else the path that the
    code names most, with no data there yet.
    """
    mentions = find_mentions(tree)
    candidates = sorted(
        _candidates(tree, schema, mentions), key=lambda one: (one.rank, one.likeness, one.database.path)
    )
    chosen, questions = _choose(candidates, schema)
    databases = [
        replace(one.database, chosen=True, guards=chosen[one.database.path])
        if one.database.path in chosen
        else one.database
        for one in candidates
    ]
    if not chosen:
        absent, asked = _named_but_absent(tree, mentions)
        databases = absent + databases
        questions += asked
    return tuple(databases), tuple(questions)


def _candidates(tree: WorkTree, schema: SchemaCode, mentions: list[Mention]) -> Iterable[_Candidate]:
    named = {mention.path: mention for mention in mentions}
    elsewhere = {path: (tree.root / path).stat().st_size for path in named if _is_elsewhere(tree, path)}
    sizes = tree.sizes | elsewhere
    for path, trouble in find_databases(tree.root, sizes).items():
        reading = Reading(problem=trouble) if trouble else read_database(tree.root / path)
        rank, why, setup = _judge(path, reading, schema, named.get(path))
        mention = named.get(path)
        seen = Database(path, sizes[path], path in tree.tracked, len(reading.tables), reading.revisions, why)
        database = replace(seen, problem=reading.problem)
        likeness = (is_throwaway(path), database.tracked, -(mention.weight if mention else 0), -sizes[path])
        yield _Candidate(database, rank, setup, likeness)


def _judge(path: str, reading: Reading, schema: SchemaCode, mention: Mention | None) -> tuple[_Rank, str, Setup | None]:
    named = f"named in {mention.where}" if mention else ""
    if is_aside(path):
        return _Rank.ASIDE, "it is among tests or examples", None
    if reading.problem:
        return (_Rank.NAMED if mention else _Rank.NOTHING), named or "nothing in the code names it", None
    for setup in schema.setups:
        if known := [revision for revision in reading.revisions if revision in setup.revisions]:
            return _Rank.REVISION, f"it is at revision {', '.join(known)} of this repository", setup
    unknown = ", ".join(reading.revisions)
    if unknown and any(setup.revisions for setup in schema.setups):
        return _Rank.NOTHING, f"it is at revision {unknown}, which this repository does not have", None
    shared = reading.tables & schema.tables
    folders = {pattern.text.split("/")[-3] for pattern in schema.django if pattern.text.count("/") > 1}
    if folders & reading.django_apps:
        return _Rank.TABLES, "it has had this repository's Django migrations", None
    if shared and 2 * len(shared) >= len(reading.tables):
        return (
            _Rank.TABLES,
            f"{len(shared)} of its {len(reading.tables)} tables are made by this repository's code",
            None,
        )
    if mention:
        return _Rank.NAMED, named, None
    return _Rank.NOTHING, "nothing in the code names it, and it is not this repository's schema", None


def _choose(candidates: list[_Candidate], schema: SchemaCode) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    usable = [one for one in candidates if one.rank <= _Rank.NAMED]
    if not usable:
        alone = [one for one in candidates if one.rank is _Rank.NOTHING and not one.database.problem]
        usable = alone if len(alone) == 1 and not alone[0].database.revisions else []
        asked = [f"{alone[0].database.path} is the only database here; is it the one to guard?"] if usable else []
        if len(alone) > 1:
            asked = [f"none of {_listed(alone)} can be told to be this repository's; which one is to be guarded?"]
        return _take(usable, schema), asked
    questions = []
    best: list[_Candidate] = []
    for setup in {one.setup.pattern.text: one.setup for one in usable if one.setup}.values() or [None]:
        rivals = [one for one in usable if one.setup is setup]
        first = rivals[0]
        best.append(first)
        equals = [one for one in rivals if one.rank is first.rank and one.likeness[0] == first.likeness[0]]
        if len(equals) > 1:
            questions.append(f"{_listed(equals)} match equally well; is {first.database.path} the one to guard?")
    for one in best:
        if one.database.problem:
            questions.append(f"{one.database.path} is named by the code, but {one.database.problem}")
        if one.database.tracked:
            questions.append(f"{one.database.path} is tracked by git; `git rm --cached` it, or it cannot be guarded")
    return _take(best, schema), questions


def _take(best: list[_Candidate], schema: SchemaCode) -> dict[str, tuple[str, ...]]:
    """Mark the chosen; with several, each answers for its own migrations and the first for everything else."""
    if len(best) < 2:
        return {one.database.path: ("**",) for one in best}
    guards: dict[str, list[str]] = defaultdict(list)
    owners = {one.setup.pattern.text: one.database.path for one in best if one.setup}
    for setup in schema.setups:
        owner = owners.get(setup.pattern.text, best[0].database.path)
        guards[owner] += [f"{literal(folder)}/**" for folder in setup.folders]
    rest = (*schema.django, *schema.sql, *schema.embedded, *schema.models)
    guards[best[0].database.path] += [pattern.text for pattern in rest]
    return {path: tuple(patterns) for path, patterns in guards.items()}


def _named_but_absent(tree: WorkTree, mentions: list[Mention]) -> tuple[list[Database], list[str]]:
    absent = [one for one in mentions if not os.path.lexists(tree.root / one.path) and not is_aside(one.path)]
    absent = [mention for mention in absent if not is_throwaway(mention.path)] or absent
    if not absent:
        return [], ["no database is here, and nothing names one; where will it be?"]
    first = absent[0]
    why = f"named in {first.where}; no data here"
    rivals = [mention.path for mention in absent[1:4] if 2 * mention.weight >= first.weight]
    asked = (
        [f"there is no database here yet; is {first.path} where it will be, or {' or '.join(rivals)}?"]
        if rivals
        else []
    )
    return [Database(first.path, None, False, 0, (), why, chosen=True)], asked


def _is_elsewhere(tree: WorkTree, path: str) -> bool:
    return path not in tree.sizes and (tree.root / path).is_file()


def _listed(candidates: list[_Candidate]) -> str:
    return ", ".join(one.database.path for one in candidates[:5])
