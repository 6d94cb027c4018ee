"""Where many histories part and meet: thousands of heads for a few git processes."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence

from ics_guard.git.names import merge_base
from ics_guard.git.process import output
from ics_guard.git.repository import Repository

_FEW = 20

Edges = Mapping[str, frozenset[str]]
"""For each head that is news: the known commits that its new ones grew from, none where they begin with nothing."""

_History = dict[str, tuple[int, list[str]]]
"""Every commit with its place, which comes before that of its parents, and its parents."""


def edges(repository: Repository, heads: Iterable[str], known: Iterable[str]) -> Edges:
    """Given heads and what is known, return the edges of the heads that are news; the others are left out."""
    wanted = list(dict.fromkeys(heads))
    found: dict[str, frozenset[str]] = {}
    for commit, (_, parents) in reversed(_history(repository, wanted, known).items()):
        # Parents came first, so those that are absent are known. Most commits have one, whose set they share: a
        # hundred thousand of them cost no memory.
        grown = [found.get(parent, frozenset((parent,))) for parent in parents]
        found[commit] = grown[0] if len(grown) == 1 else frozenset().union(*grown)
    return {head: found[head] for head in wanted if head in found}


def newest(repository: Repository, sets: Iterable[frozenset[str]]) -> dict[frozenset[str], str]:
    """Given sets of commits, return for each one of its commits that is an ancestor of no other in it."""
    wanted = dict.fromkeys(sets)
    several = [commits for commits in wanted if len(commits) > 1]
    chosen = {commits: next(iter(commits)) for commits in wanted if len(commits) == 1}
    if len(several) <= _FEW:
        return chosen | {commits: _independent(repository, sorted(commits)) for commits in several}
    history = _history(repository, (oid for commits in several for oid in commits))
    return chosen | {commits: min(commits, key=lambda oid: history[oid][0]) for commits in several}


def merge_bases(repository: Repository, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str | None]:
    """Given pairs of commits, return the best common ancestor of each two, None where there is none.

    Raise `UsageError` if there is none and history is missing, so that there might be one.
    """
    if len(pairs) <= _FEW:
        return {pair: merge_base(repository, *pair) for pair in pairs}
    history = _history(repository, (oid for pair in pairs for oid in pair))
    return {pair: _meeting(history, *pair) or merge_base(repository, *pair) for pair in pairs}


def _meeting(history: _History, one: str, other: str) -> str | None:
    """Walk down from both, always from the commit whose place comes first: the first that both reach is a best one."""
    reached = {one: 1} | {other: 3 if one == other else 2}
    ahead = [(history[oid][0], oid) for oid in reached]
    heapq.heapify(ahead)
    while ahead:
        _, oid = heapq.heappop(ahead)
        if reached[oid] == 3:
            return oid
        for parent in history[oid][1]:
            if parent not in reached:
                heapq.heappush(ahead, (history[parent][0], parent))
            reached[parent] = reached.get(parent, 0) | reached[oid]
    return None


def _history(repository: Repository, heads: Iterable[str], known: Iterable[str] = ()) -> _History:
    asked = "".join(f"{oid}\n" for oid in dict.fromkeys(heads)) + "".join(f"^{oid}\n" for oid in dict.fromkeys(known))
    lines = output(repository, "rev-list", "--topo-order", "--parents", "--stdin", stdin=asked.encode()).decode()
    commits = map(str.split, lines.splitlines())
    return {commit: (place, parents) for place, (commit, *parents) in enumerate(commits)}


def _independent(repository: Repository, commits: list[str]) -> str:
    return output(repository, "merge-base", "--independent", *commits).decode().split()[0]
