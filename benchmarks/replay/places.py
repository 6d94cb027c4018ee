"""Where the migrations of a history live: a small TOML file, options, or what `ics-guard init` would propose."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ics_guard import config, discover
from ics_guard.config import Config
from ics_guard.config.patterns import compiled, matches

KINDS = ("alembic", "django", "sql", "embedded", "exclude")
ENGINES = ("sqlite", "postgres", "text")
_ENVIRONMENT = '[env.replay]\nstore = "backups"\n[env.replay.sources.db]\nkind = "sqlite"\npath = "app.db"\n'


@dataclass(frozen=True)
class SqlGroup:
    """SQL files that together make one schema, and the engine that they are applied to; `text`: to none.

    `without` are not applied, only read: rollbacks, seeds. `alone` are each applied to a database of their own.
    `setup`, and what `setup_from` names as REVISION:PATH of the history, run before: roles, an older schema.
    """

    files: tuple[str, ...]
    engine: str
    without: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    setup: str = ""
    setup_from: tuple[str, ...] = ()

    def holds(self, path: str) -> bool:
        """Return whether a path is of this group."""
        return matches(compiled(self.files), path)

    def applies(self, path: str) -> bool:
        """Return whether a path of this group is applied to the engine."""
        return not matches(compiled(self.without), path)

    def is_alone(self, path: str) -> bool:
        """Return whether a path is a whole schema by itself."""
        return matches(compiled(self.alone), path)


@dataclass(frozen=True)
class Places:
    """What is watched, as ics-guard reads it, and how its SQL files are applied."""

    config: Config
    groups: tuple[SqlGroup, ...]


def from_file(root: Path, file: Path) -> Places:
    """Given a work tree and a TOML file, return the places it names. Raise `ValueError` for what it cannot mean."""
    document = tomllib.loads(file.read_text("utf-8"))
    if extra := set(document) - {"watch", "sql"}:
        raise ValueError(f"{file}: there is no key {sorted(extra)[0]!r}; [watch] and [[sql]] are read")
    groups = tuple(_group(table) for table in document.get("sql", []))
    return from_patterns(root, document.get("watch", {}), groups)


def from_patterns(root: Path, watch: Mapping[str, Sequence[str]], groups: Sequence[SqlGroup]) -> Places:
    """Given patterns as under [watch], return the places. SQL files that no group names are compared as text."""
    lines = [f"{kind} = {json.dumps(list(patterns))}" for kind, patterns in watch.items()]
    text = "\n".join(["version = 1", "[watch]", *lines, _ENVIRONMENT])
    rest = SqlGroup(tuple(watch.get("sql", ())), "text")
    return Places(config.load(root, text), (*groups, rest))


def discovered(root: Path, tracked: Sequence[str], engine: str) -> Places:
    """Given a checked-out work tree, return the places that `ics-guard init` would propose for it."""
    proposal = discover.look(root, tracked)
    watch = {kind: [pattern.text for pattern in getattr(proposal, kind)] for kind in KINDS}
    groups = [SqlGroup((pattern,), engine, without=DOWN) for pattern in watch["sql"]]
    return from_patterns(root, watch, groups)


DOWN = ("*.down.sql", "*.undo.sql", "*.rollback.sql", "down.sql")
"""What undoes a migration, in the spelling of most tools; not applied."""


def _group(table: Mapping[str, Any]) -> SqlGroup:
    group = SqlGroup(
        files=tuple(table["files"]),
        engine=table.get("engine", "text"),
        without=tuple(table.get("without", DOWN)),
        alone=tuple(table.get("alone", ())),
        setup=table.get("setup", ""),
        setup_from=tuple(table.get("setup_from", ())),
    )
    if group.engine not in ENGINES:
        raise ValueError(f"engine {group.engine!r} of [[sql]] is none of {', '.join(ENGINES)}")
    if extra := set(table) - {"files", "engine", "without", "alone", "setup", "setup_from"}:
        raise ValueError(f"there is no key {sorted(extra)[0]!r} of [[sql]]")
    return group
