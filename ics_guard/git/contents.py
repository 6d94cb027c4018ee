"""What is in the files that git tracks."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from ics_guard.git.diffs import SUBMODULE, FileChange
from ics_guard.git.process import missing_object, output, records
from ics_guard.git.repository import Repository


def read_contents(repository: Repository, files: Collection[FileChange]) -> dict[str, bytes]:
    """Given files of a diff, return what their ids stand for: the bytes of blobs, of a submodule what git shows for it.

    Raise `UsageError` if a blob is not in this clone.
    """
    modules = {oid for file in files if file.opaque == SUBMODULE for oid in (file.before, file.after) if oid}
    blobs = {oid for file in files if file.opaque != SUBMODULE for oid in (file.before, file.after) if oid}
    return read_blobs(repository, blobs) | {oid: f"Subproject commit {oid}\n".encode() for oid in modules}


def read_blobs(repository: Repository, oids: Iterable[str]) -> dict[str, bytes]:
    """Given ids of blobs, return their contents. Raise `UsageError` if one is not in this clone."""
    wanted = sorted(set(oids))
    stream = output(repository, "cat-file", "--batch", stdin="".join(f"{oid}\n" for oid in wanted).encode())
    found, at = {}, 0
    for oid in wanted:
        start = stream.index(b"\n", at) + 1
        about = stream[at:start].decode().split()
        if about[-1] == "missing":
            missing_object(f"object {oid}")
        end = start + int(about[-1])
        found[oid] = stream[start:end]
        at = end + 1
    return found


def tracked_files(repository: Repository, below: str = "") -> list[str]:
    """Given a folder ("" is the root), return the paths of all tracked files in it, all relative to the root.

    Undecodable bytes come as surrogates.
    """
    names = records(repository, "ls-files", "-z", "--", f":(top,literal){below}")
    return [os.fsdecode(name) for name in dict.fromkeys(names)]


def submodules(repository: Repository) -> list[str]:
    """Return where the index has other repositories, with or without an entry in `.gitmodules`."""
    listed = records(repository, "ls-files", "--stage", "-z")
    return [os.fsdecode(one.partition(b"\t")[2]) for one in listed if one.startswith(b"160000 ")]


def is_tracked(repository: Repository, *paths: Path) -> bool:
    """Given paths, absolute or relative to the root, return whether git tracks one of them, or a file one links to."""
    here = [repository.root / path for path in paths]
    places = {place for path in here for place in (path.parent.resolve() / path.name, path.resolve())}
    named = _inside(repository, places)
    return bool(named and records(repository, "ls-files", "-z", "--", *(f":(top,literal){name}" for name in named)))


def tracked_above(repository: Repository, path: Path) -> str:
    """Given a path, return the link or submodule that git tracks and that the path leads through, "" for none.

    A commit can put something else there.
    """
    here = repository.root / path
    places = _inside(repository, (Path(os.path.normpath(here)), here.parent.resolve() / here.name, here.resolve()))
    above = {os.fspath(one) for name in places for one in Path(name).parents} - {"."}
    asked = [f":(top,literal){name}" for name in sorted(above)]
    listed = records(repository, "ls-files", "--stage", "-z", "--", *asked) if asked else []
    names = (os.fsdecode(one.partition(b"\t")[2]) for one in listed)
    return next((name for name in names if name in above), "")  # a plain folder is never an entry itself


def _inside(repository: Repository, places: Iterable[Path]) -> set[str]:
    """Places below the root, relative to it."""
    root = repository.root
    return {os.fspath(place.relative_to(root)) for place in places if place.is_relative_to(root)}
