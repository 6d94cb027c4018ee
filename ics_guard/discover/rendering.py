"""A proposal as the text of ics-guard.toml, every line explained; `config.load` reads it back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from ics_guard.discover.nouns import Artifact, Database, Pattern, Proposal

_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_KINDS = {
    "alembic": "Alembic: its configuration file, or a folder of revisions",
    "django": "Django migrations",
    "sql": "SQL files with DDL in them",
    "embedded": "DDL inside the strings of source code",
    "models": "models: a change is worth a notice, and never blocks",
    "exclude": "stronger than all of the above",
}


def render(proposal: Proposal) -> str:
    """Given a proposal, return the text of ics-guard.toml for it.

    Directories are written as comments: this version guards databases only.
    """
    return "\n".join(_lines(proposal)) + "\n"


def _lines(proposal: Proposal) -> Iterator[str]:
    yield "# ics-guard: no schema change without a proven way back. Written by `ics-guard init`; yours to edit."
    yield "version = 1"
    yield 'default_env = "local"             # where commands work unless --env says otherwise'
    yield ""
    yield "[watch]                           # what counts as schema-impacting: patterns as in .gitignore"
    for key, meaning in _KINDS.items():
        patterns: tuple[Pattern, ...] = getattr(proposal, key)
        if patterns:
            yield f"# {meaning}"
            yield f"{key} = ["
            yield from (f"  {_quoted(one.text)},  # {_comment(one.why)}" for one in patterns)
            yield "]"
    yield ""
    yield "[policy]                          # the rest has defaults; [env.X.policy] overrides"
    yield 'rpo = "24h"                       # a backup older than this does not count'
    yield 'rto = "4h"                        # how long a restore may take'
    yield 'on_missing = "create"             # no fresh backup? make one; "refuse" would only block'
    yield ""
    yield "[env.local]"
    yield 'store = "backups"                 # where backups and their ledger go; it ignores itself in git'
    yield from _sources(proposal)


def _sources(proposal: Proposal) -> Iterator[str]:
    names: set[str] = set()
    for position, database in enumerate(proposal.chosen):
        name = _unused("db" if position == 0 else _named_after(database.path), names)
        yield ""
        yield f"[env.local.sources.{name}]"
        yield 'kind = "sqlite"'
        yield f"path = {_quoted(database.path)}  # {_comment(_about(database))}"
        listed = ", ".join(_quoted(pattern) for pattern in database.guards)
        yield f"guards = [{listed}]  # the watched paths that this database answers for"
    if not proposal.chosen:
        yield ""
        yield "# No database was found. Until one is named here, every schema change is blocked:"
        yield "# [env.local.sources.db]"
        yield '# kind = "sqlite"'
        yield '# path = "data/app.db"'
    others = [database for database in proposal.databases if not database.chosen]
    if others:
        yield ""
        yield "# Databases that were found and not chosen:"
        yield from (f"#   {_quoted(one.path)}  {_comment(_about(one))}" for one in others[:20])
        if len(others) > 20:
            yield f"#   and {len(others) - 20} more"
    yield from _artifacts(proposal.artifacts, names)


def _artifacts(artifacts: Iterable[Artifact], names: set[str]) -> Iterator[str]:
    for position, artifact in enumerate(artifacts):
        if position == 0:
            yield ""
            yield "# Data in folders. This version guards databases only, so these are to be copied some other way:"
        name = _unused(_named_after(artifact.path), names)
        about = f"{artifact.files} files, {_size(artifact.bytes)}, {_comment(artifact.why)}"
        yield f"# [env.local.sources.{name}]"
        yield '# kind = "directory"'
        yield f"# path = {_quoted(artifact.path)}  # {about}{', in git' if artifact.tracked else ''}"


def _about(database: Database) -> str:
    parts = [database.why]
    if database.bytes is not None:
        parts.append(_size(database.bytes))
    parts += [database.problem] if database.problem else []
    parts += ["tracked by git, which must end before it can be guarded"] if database.tracked else []
    return "; ".join(parts)


def _size(count: int) -> str:
    return next((f"{count / unit:.1f} {name}" for unit, name in _UNITS if count >= unit), f"{count} bytes")


def _comment(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _named_after(path: str) -> str:
    stem = PurePosixPath(path).stem if path.endswith((".db", ".sqlite", ".sqlite3")) else PurePosixPath(path).name
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_") or "data"


def _unused(name: str, names: set[str]) -> str:
    free = next(one for one in (name, *(f"{name}-{number}" for number in range(2, 1000))) if one not in names)
    names.add(free)
    return free
