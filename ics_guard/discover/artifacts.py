"""Folders of data beside the database: transcripts, audio, images, in numbers that nobody types again."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath

from ics_guard.discover.nouns import Artifact
from ics_guard.discover.worktree import CODE, WorkTree, is_aside, is_document, is_vendored

_TEXT = (".json", ".jsonl", ".srt", ".vtt", ".txt", ".csv", ".tsv", ".parquet", ".npy", ".npz", ".pdf")
_SOUND = (".mp3", ".wav", ".m4a", ".flac", ".ogg", ".opus", ".mp4", ".mkv", ".mov", ".webm")
_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".heic")
_DATA = _TEXT + _SOUND + _PICTURES
_BUILT = {"static", "public", "assets", "icons", "images", "img", "locale", "locales", "translations", "templates"}
_BUILT |= {"dist", "build", "target", "out", "coverage", "logs", "log"}
_FEWEST = 50
_LEAST_BYTES = 20 << 20
_RUNBOOK = re.compile(r"runbook|backup|restore|disaster", re.IGNORECASE)
_NAMED = re.compile(r"[`\s(\"'](?P<path>(?:[\w.-]+/)+)[`\s)\"',]")


@dataclass
class _Sum:
    files: int = 0
    bytes: int = 0
    others: int = 0
    code: int = 0
    tracked: int = 0


def find_artifacts(tree: WorkTree) -> tuple[Artifact, ...]:
    """Given a work tree, return its folders of data, the largest first: at least 50 files or 20 MiB, or any size where
    a runbook names them. Each is the topmost folder that holds hardly anything else; source code is never one.
    """
    sums = {path: one for path, one in _sums(tree).items() if one.files and not one.code}
    found = {path: f"named in {file}" for path, file in _in_runbooks(tree).items() if path in sums}
    for path in sorted(sums, key=lambda path: path.count("/")):
        related = any(f"{path}/".startswith(f"{other}/") or other.startswith(f"{path}/") for other in found)
        if not related and _is_data(path, sums[path]):
            found[path] = f"{sums[path].files} files of data"
    artifacts = (
        Artifact(path, sums[path].files, sums[path].bytes, sums[path].tracked > 0, why) for path, why in found.items()
    )
    return tuple(sorted(artifacts, key=lambda artifact: (-artifact.bytes, artifact.path)))


def _is_data(path: str, found: _Sum) -> bool:
    if not _BUILT.isdisjoint(path.lower().split("/")) or is_aside(f"{path}/x") or is_document(f"{path}/x"):
        return False
    return 10 * found.others <= found.files and (found.files >= _FEWEST or found.bytes >= _LEAST_BYTES)


def _sums(tree: WorkTree) -> dict[str, _Sum]:
    sums: dict[str, _Sum] = defaultdict(_Sum)
    for path, size in tree.sizes.items():
        if is_vendored(path):
            continue
        data = path.lower().endswith(_DATA)
        for parent in PurePosixPath(path).parents[:-1]:
            one = sums[parent.as_posix()]
            one.files += data
            one.bytes += size if data else 0
            one.others += not data
            one.code += path.endswith(CODE)
            one.tracked += data and path in tree.tracked
    return dict(sums)


def _in_runbooks(tree: WorkTree) -> dict[str, str]:
    """Folders that a document on backups names, with its path."""
    runbooks = [
        p for p in tree.code if p.lower().endswith((".md", ".rst", ".txt")) and _RUNBOOK.search(PurePosixPath(p).name)
    ]
    named: dict[str, str] = {}
    for file in runbooks:
        for match in _NAMED.finditer(tree.read(file)):
            named.setdefault(match["path"].rstrip("/").removeprefix("./"), file)
    return named
