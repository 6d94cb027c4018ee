"""Which commits are news to a remote, and where each of many heads leaves what the remote has: a few git processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ics_guard.git.process import output
from ics_guard.git.repository import Repository

_FEW = 20

Edges = Mapping[str, frozenset[str]]
"""For each head that is news: the known commits that its new ones grew from, none where they begin with nothing."""


def edges(repository: Repository, heads: Iterable[str], known: Iterable[str]) -> Edges:
    """Given heads and what is known, return the edges of the heads that are news; the others are left out."""
    wanted = list(dict.fromkeys(heads))
    asked = "".join(f"{head}\n" for head in wanted) + "".join(f"^{oid}\n" for oid in dict.fromkeys(known))
    lines = output(repository, "rev-list", "--topo-order", "--reverse", "--parents", "--stdin", stdin=asked.encode())
    found: dict[str, frozenset[str]] = {}
    for line in lines.decode().splitlines():  # parents come first, so those that are absent are known
        commit, *parents = line.split()
        grown = [found.get(parent, frozenset((parent,))) for parent in parents]
        # Most commits have one parent, whose set they share: a hundred thousand of them cost no memory.
        found[commit] = grown[0] if len(grown) == 1 else frozenset().union(*grown)
    return {head: found[head] for head in wanted if head in found}


def newest(repository: Repository, sets: Iterable[frozenset[str]]) -> dict[frozenset[str], str]:
    """Given sets of commits, return for each one of its commits that is an ancestor of no other in it."""
    wanted = dict.fromkeys(sets)
    several = [commits for commits in wanted if len(commits) > 1]
    chosen = {commits: next(iter(commits)) for commits in wanted if len(commits) == 1}
    if len(several) <= _FEW:
        return chosen | {commits: _independent(repository, sorted(commits)) for commits in several}
    asked = "".join(f"{oid}\n" for commits in several for oid in commits).encode()
    order = output(repository, "rev-list", "--topo-order", "--stdin", stdin=asked).decode().split()
    place = {oid: number for number, oid in enumerate(order)}
    return chosen | {commits: min(commits, key=place.__getitem__) for commits in several}


def _independent(repository: Repository, commits: list[str]) -> str:
    return output(repository, "merge-base", "--independent", *commits).decode().split()[0]
