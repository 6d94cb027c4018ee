"""The shims as files: written without a moment in which no hook stands, recognised, and never confused with others."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import sys
from pathlib import Path

from ics_guard.errors import UsageError

BLOCKING = ("pre-commit", "pre-merge-commit", "pre-push")
HOOKS = (*BLOCKING, "post-merge", "post-checkout", "post-rewrite")

_CHAINED = ".ics-guard-chained"
_DIGEST = re.compile(rb"\A#!/bin/sh\n# ics-guard hook ([0-9a-f]{64});")


def render(name: str) -> bytes:
    """Given the name of a hook, return the shim for it: this interpreter, this package, and a digest over the rest."""
    package = Path(__file__).parent.parent
    shipped, source = package / "_hooks" / "shim.sh", package.parent / "hooks" / "shim.sh"
    text = (shipped if shipped.exists() else source).read_bytes()
    baked = {b"@HOOK@": name, b"@PYTHON@": sys.executable, b"@PACKAGE@": str(package)}
    filled = re.sub(rb"@HOOK@|@PYTHON@|@PACKAGE@", lambda found: os.fsencode(shlex.quote(baked[found[0]])), text)
    return filled.replace(b"@DIGEST@", hashlib.sha256(filled).hexdigest().encode(), 1)


def place(folder: Path, name: str) -> Path:
    """Return where our shim for a hook is or belongs: `pre-commit install` moves it aside and runs it from there."""
    legacy = folder / f"{name}.legacy"
    return legacy if is_ours(legacy) else folder / name


def chained(folder: Path, name: str) -> Path:
    """Return where the hook is kept that was there before ours."""
    return folder / (name + _CHAINED)


def is_ours(path: Path) -> bool:
    """Return whether a file is a shim of ours, edited or not."""
    return _DIGEST.match(content_of(path)) is not None


def is_edited(path: Path) -> bool:
    """Return whether a file is a shim of ours that somebody edited."""
    content = content_of(path)
    if not (found := _DIGEST.match(content)):
        return False
    return hashlib.sha256(content.replace(found[1], b"@DIGEST@", 1)).hexdigest().encode() != found[1]


def refuse_edited(folder: Path) -> None:
    """Raise `UsageError` if somebody edited a shim of ours in a folder."""
    for name in HOOKS:
        path = place(folder, name)
        if is_edited(path):
            message = f"{path} is a hook of ics-guard that somebody edited since"
            raise UsageError("hook-edited", message, f"save what you need of it, then: rm {shlex.quote(str(path))}")


def refuse_two(folder: Path) -> None:
    """Raise `UsageError` if a hook is not ours and yet another one before it is still kept."""
    for name in HOOKS:
        path, kept = place(folder, name), chained(folder, name)
        foreign = os.path.lexists(path) and os.path.lexists(kept) and not is_ours(path)
        if foreign and not os.path.samestat(path.lstat(), kept.lstat()):
            message = f"{path} is not ours, and {kept.name} is still there from another hook before it"
            raise UsageError("two-hooks", message, f"keep one of the two as {path}, remove {kept}, install again")


def put(folder: Path, name: str) -> None:
    """Write our shim; what was there gets its second name first, then ours takes its place. Raise OSError."""
    path, kept = place(folder, name), chained(folder, name)
    if os.path.lexists(path) and not is_ours(path) and not os.path.lexists(kept):
        os.link(path, kept, follow_symlinks=False)
    if content_of(path) != (wanted := render(name)):
        write(path, wanted, 0o755)


def take_out(folder: Path, name: str) -> bool:
    """Put back the hook that was there before ours, or none; return whether ours was there. Raise OSError."""
    path, kept = place(folder, name), chained(folder, name)
    if not is_ours(path):
        return False
    if os.path.lexists(kept):
        kept.replace(path)
    else:
        path.unlink()
    return True


def write(path: Path, content: bytes, mode: int) -> None:
    """Write a file so that it is there whole or not at all. Raise OSError."""
    temporary = path.with_name(".ics-guard-new")
    temporary.write_bytes(content)
    temporary.chmod(mode)
    temporary.replace(path)


def content_of(path: Path) -> bytes:
    """Return what is in a file, nothing if there is none."""
    return path.read_bytes() if path.is_file() else b""
