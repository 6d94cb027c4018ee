"""What one folder holds at thousands of commits: most of them have it alike, so that each version is read once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from ics_guard.git.contents import read_blobs
from ics_guard.git.process import output
from ics_guard.git.repository import Repository


def read_folders(repository: Repository, folder: str, trees: Iterable[str]) -> dict[str, dict[str, bytes]]:
    """Given a folder relative to the root and ids of commits or trees, return for each its files by path.

    Links and submodules are left out; where there is no such folder, there are no files. Four git processes do for
    all, and one more for each level of folders. Raise `UsageError` if something is not in this clone.
    """
    wanted, where = list(dict.fromkeys(trees)), "" if folder == "." else folder.strip("/")
    asked = "".join(f"{tree}:{where}\n" for tree in wanted).encode()
    told = output(repository, "cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=asked).decode()
    answers = dict(zip(wanted, map(str.split, told.splitlines()), strict=True))
    versions = {tree: words[1] for tree, words in answers.items() if words[0] == "tree"}
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


def _entries(tree: bytes, length: int) -> Iterator[tuple[bytes, str, str]]:
    """A tree object as git stores it: `mode name\\0` and an id of so many bytes, one entry after the other."""
    at = 0
    while at < len(tree):
        end = tree.index(b"\0", at)
        mode, _, name = tree[at:end].partition(b" ")
        at = end + 1 + length
        yield mode, os.fsdecode(name), tree[end + 1 : at].hex()
