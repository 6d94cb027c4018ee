"""The nouns of the configuration, with the defaults of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ics_guard.config.patterns import compiled, literal, matches, matches_below
from ics_guard.model import Kind, Severity

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


@dataclass(frozen=True)
class Watch:
    """What counts as schema-impacting: gitignore-style patterns by kind, `exclude` stronger than all of them.

    `alembic` is as written, `alembic_folders` what it stands for: folders of revisions relative to the root, in
    which (and below which) every Python file counts.
    """

    alembic: tuple[str, ...] = ()
    django: tuple[str, ...] = ()
    sql: tuple[str, ...] = ()
    embedded: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    alembic_folders: tuple[str, ...] = ()

    def kind_of(self, path: str) -> Kind | None:
        """Given a path relative to the root, return how it is to be read, or None if it is not watched."""
        excluded, specs = self._specs
        if (path.endswith(".pyc") and "__pycache__" in path.split("/")) or matches(excluded, path):
            return None
        return next((kind for kind, spec in specs if matches(spec, path)), None)

    def kind_below(self, path: str, *, named: bool = False) -> Kind | None:
        """Given a path, return how something below it may have to be read; None if no watched path can be there.

        Asked where something stands whose content git does not have. `named`: only where a pattern names it, not for
        what any path would match.
        """
        excluded, _ = self._specs
        anything = f"{path}/" + "\1" * 8  # what is excluded under every name
        if not any(one.startswith("!") for one in self.exclude) and matches(excluded, f"{anything}/{anything}"):
            return None
        return next(
            (kind for kind, some in self._by_kind if any(matches_below(one, path, named=named) for one in some)), None
        )

    def patterns(self) -> tuple[str, ...]:
        """Return every pattern that decides `kind_of`, the alembic folders included, the excludes left out."""
        return self.revisions + self.django + self.sql + self.embedded + self.models

    @property
    def revisions(self) -> tuple[str, ...]:
        """The patterns that `alembic_folders` stand for."""
        within = ["" if folder == "." else f"{literal(folder)}/**/" for folder in self.alembic_folders]
        return tuple(f"{one}*.{suffix}" for one in within for suffix in ("py", "pyc"))  # Alembic can run both

    @property
    def _by_kind(self) -> tuple[tuple[Kind, tuple[str, ...]], ...]:
        return (
            (Kind.ALEMBIC, self.revisions),
            (Kind.DJANGO, self.django),
            (Kind.SQL, self.sql),
            (Kind.EMBEDDED, self.embedded),
            (Kind.MODEL, self.models),
        )

    @cached_property
    def _specs(self) -> tuple[GitIgnoreSpec, tuple[tuple[Kind, GitIgnoreSpec], ...]]:
        return compiled(self.exclude), tuple((kind, compiled(patterns)) for kind, patterns in self._by_kind)


@dataclass(frozen=True)
class Smoke:
    """One question that only the team can ask of its data: a statement of SQL, or a command; never both."""

    sql: str | None = None
    run: str | None = None


@dataclass(frozen=True)
class Source:
    """One thing to protect. `guards` are the watched paths it answers for; `gate`: changes to them wait for it."""

    name: str
    kind: Literal["sqlite", "postgres", "directory"]
    path: str | None = None
    url: str | None = None
    guards: tuple[str, ...] = ("**",)
    smoke: tuple[Smoke, ...] = ()
    stop: str | None = None
    start: str | None = None
    unchecked: tuple[str, ...] = ()
    gate: bool = True

    def guards_path(self, path: str) -> bool:
        """Given a path relative to the root, return whether this source answers for it."""
        return matches(self._spec, path)

    @cached_property
    def _spec(self) -> GitIgnoreSpec:
        return compiled(self.guards)


@dataclass(frozen=True)
class Retention:
    """How many backups stay: one for each of so many days, weeks and months, and never fewer than `keep_min`."""

    daily: int = 7
    weekly: int = 4
    monthly: int = 6
    keep_min: int = 3


@dataclass(frozen=True)
class Policy:
    """What a gate asks for. `current`: must a fresh backup show the source as it is now (None: SQLite only)?"""

    rpo: timedelta = timedelta(hours=24)
    rto: timedelta = timedelta(hours=4)
    redrill: timedelta = timedelta(days=30)
    on_missing: Literal["create", "refuse"] = "create"
    require_backup: frozenset[Severity] = frozenset(Severity) - {Severity.NOTICE}
    on_incoming: Literal["backup", "warn", "switch", "off"] = "backup"
    retention: Retention = Retention()
    rehearse_budget: timedelta = timedelta(seconds=30)
    rules: Mapping[str, Severity] = field(default_factory=dict)
    current: bool | None = None
    waivers: Literal["accept", "signed", "refuse"] = "accept"


@dataclass(frozen=True)
class Environment:
    """A named set of sources with one store and one policy. `required`: absent here, it needs evidence."""

    name: str
    store: str
    mirror: str | None
    required: bool
    policy: Policy
    sources: Mapping[str, Source]


@dataclass(frozen=True)
class Rehearse:
    """How the project runs its own migrations on a copy: a command, and what its environment needs."""

    command: str
    env: Mapping[str, str]


@dataclass(frozen=True)
class Config:
    """Everything that ics-guard.toml says. `inputs`: the files that decided what is watched, relative to `root`."""

    root: Path
    version: int
    default_env: str
    watch: Watch
    environments: Mapping[str, Environment]
    rehearse: Rehearse | None
    inputs: tuple[str, ...]
