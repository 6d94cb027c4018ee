"""Which commits this clone has seen at a remote, named or by URL."""

from __future__ import annotations

import os
from collections import defaultdict

from ics_guard.git.names import refs
from ics_guard.git.process import output, records, run
from ics_guard.git.repository import Repository


def seen_at(repository: Repository, *places: str) -> list[str]:
    """Given a remote as git calls it, by its name or by a URL, return the commits that this clone saw there."""
    wanted = {_plain(repository, place) for place in places if place}
    known = _addresses(repository)
    names = [name for name in known if name in places or wanted & known[name]]
    # `refs/remotes/a/b/c` may be of a remote `a` or of one called `a/b`: then of neither.
    others = tuple(f"refs/remotes/{name}/" for name in known if name not in names)
    return refs(repository, *(f"refs/remotes/{name}/" for name in names), without=others) if names else []


def _addresses(repository: Repository) -> dict[str, set[str]]:
    """Every URL of every remote: as configured, and as git rewrites it to fetch and to push."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in os.fsdecode(output(repository, "remote", "-v")).splitlines():
        name, _, rest = line.partition("\t")
        found[name].add(_plain(repository, rest.removesuffix(" (fetch)").removesuffix(" (push)")))
    pattern = r"^remote\..*\.(url|pushurl)$"
    if run(repository.root, repository.environment, ("config", "--get-regexp", pattern)).returncode == 0:
        for record in records(repository, "config", "-z", "--get-regexp", pattern):
            key, _, value = os.fsdecode(record).partition("\n")
            found[key.split(".", 1)[1].rpartition(".")[0]].add(_plain(repository, value))
    return found


def _plain(repository: Repository, url: str) -> str:
    """One spelling for the many that a folder on this machine has; other URLs as they are."""
    path = url.removeprefix("file://")
    if path == url and ("://" in url or ":" in url.partition("/")[0]):
        return url.rstrip("/")
    return os.path.realpath(repository.root / path)
