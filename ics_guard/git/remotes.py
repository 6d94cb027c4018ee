"""Which commits this clone has seen at a remote, named or by URL."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from ics_guard.git.names import refs
from ics_guard.git.repository import Repository

if TYPE_CHECKING:
    from git.config import GitConfigParser


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
    from git import GitCommandError, Repo  # noqa: PLC0415 - 130 ms, which only a push has to pay

    found: dict[str, set[str]] = {}
    with Repo(repository.root) as opened:
        configured = opened.config_reader()
        for remote in opened.remotes:
            section = f'remote "{remote.name}"'
            urls = [str(url) for key in ("url", "pushurl") for url in _values(configured, section, key)]
            with suppress(GitCommandError):  # a remote without a URL
                urls += opened.git.remote("get-url", "--all", remote.name).splitlines()
                urls += opened.git.remote("get-url", "--push", "--all", remote.name).splitlines()
            found[remote.name] = {_plain(repository, url) for url in urls}
    return found


def _values(configured: GitConfigParser, section: str, key: str) -> list[object]:
    return list(configured.get_values(section, key)) if configured.has_option(section, key) else []


def _plain(repository: Repository, url: str) -> str:
    """One spelling for the many that a folder on this machine has; other URLs as they are."""
    path = url.removeprefix("file://")
    if path == url and ("://" in url or ":" in url.partition("/")[0]):
        return url.rstrip("/")
    return os.path.realpath(repository.root / path)
