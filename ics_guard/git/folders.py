"""What one folder holds at thousands of commits: most of them have it alike, so that each version is read once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from ics_guard.git.contents import read_blobs
from ics_guard.git.process import answer, output
from ics_guard.git.repository import Repository


def read_folders(repository: Repository, folder: str, trees: Iterable[str]) -> dict[str, dict[str, bytes]]:
    """Given a folder relative to the root and ids of commits or trees, return for each its files by path.

    Links and submodules are left out; where there is no such folder, there are no files. Four git processes do for
    all, and one more for each level of folders. Raise `UsageError` if something is not in this clone.
    """
    wanted, where = list(dict.fromkeys(trees)), "" if folder == "." else folder.strip("/")
    versions = _versions(repository, where, wanted)
    held: dict[str, dict[str, str]] = {top: {} for top in versions.values()}
    level = [(top, where, top) for top in held]
    while level:
        contents = read_blobs(repository, (oid for _, _, oid in level))
        deeper = []
        for top, below, oid in level:
            for mode, name, entry in _entries(contents[oid], len(oid) // 2):
                path = f"{below}/{name}" if below else name
                if mode == b"40000":
                    deeper.append((top, path, entry))
                elif mode.startswith(b"100"):
                    held[top][path] = entry
        level = deeper
    blobs = read_blobs(repository, (oid for files in held.values() for oid in files.values()))
    read = {top: {path: blobs[oid] for path, oid in sorted(files.items())} for top, files in held.items()}
    return {tree: read.get(versions.get(tree, ""), {}) for tree in wanted}


def _versions(repository: Repository, where: str, wanted: Sequence[str]) -> dict[str, str]:
    """The id of the folder in each tree that has it."""
    if "\n" in where:  # which ends a question to cat-file
        told = {tree: answer(repository, "rev-parse", "--verify", "--quiet", f"{tree}:{where}") for tree in wanted}
        return {tree: oid for tree, oid in told.items() if oid}
    asked = os.fsencode("".join(f"{tree}:{where}\n" for tree in wanted))
    raw = output(repository, "cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=asked)
    answers = [line.split(b" ") for line in raw.split(b"\n")[:-1]]
    return {tree: words[1].decode() for tree, words in zip(wanted, answers, strict=True) if words[0] == b"tree"}


def _entries(tree: bytes, length: int) -> Iterator[tuple[bytes, str, str]]:
    """A tree object as git stores it: `mode name\\0` and an id of so many bytes, one entry after the other."""
    at = 0
    while at < len(tree):
        end = tree.index(b"\0", at)
        mode, _, name = tree[at:end].partition(b" ")
        at = end + 1 + length
        yield mode, os.fsdecode(name), tree[end + 1 : at].hex()
