"""ics-guard.toml, read and checked: what is watched, which environments there are, and what policy asks of them."""

from __future__ import annotations

import configparser
import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from ics_guard.errors import ConfigError
from ics_guard.model import Kind, Severity

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

NAME = "ics-guard.toml"
LOCAL_NAME = "ics-guard.local.toml"
VERSION = 1

_T = TypeVar("_T")
_KINDS = ("sqlite", "postgres", "directory")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SEPARATORS = {"space": " ", "newline": "\n", "os": os.pathsep, ":": ":", ";": ";"}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+")
_SECRET = re.compile(r"://[^/?#]*:[^/?#]*@|pass(?:word|wd)?\s*=", re.IGNORECASE)


@dataclass(frozen=True)
class Watch:
    """What counts as schema-impacting: gitignore-style patterns by kind, `exclude` stronger than all of them.

    `alembic` is as written, `alembic_folders` what it stands for: folders of revisions, relative to the root.
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
        name = _matchable(path)
        if excluded.match_file(name):
            return None
        return next((kind for kind, spec in specs if spec.match_file(name) and "__pycache__/" not in name), None)

    def patterns(self) -> tuple[str, ...]:
        """Return every pattern that decides `kind_of`, the alembic folders included, the excludes left out."""
        folders = tuple(f"{_literal(folder)}/**/*.py" if folder else "*.py" for folder in self.alembic_folders)
        return folders + self.django + self.sql + self.embedded + self.models

    @cached_property
    def _specs(self) -> tuple[GitIgnoreSpec, tuple[tuple[Kind, GitIgnoreSpec], ...]]:
        others = ((Kind.DJANGO, self.django), (Kind.SQL, self.sql), (Kind.EMBEDDED, self.embedded))
        folders = Watch(alembic_folders=self.alembic_folders).patterns()
        everything = ((Kind.ALEMBIC, folders), *others, (Kind.MODEL, self.models))
        return _spec(self.exclude), tuple((kind, _spec(patterns)) for kind, patterns in everything)


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
        return self._spec.match_file(_matchable(path))

    @cached_property
    def _spec(self) -> GitIgnoreSpec:
        return _spec(self.guards)


@dataclass(frozen=True)
class Retention:
    """How many backups stay: one for each of so many days, weeks and months, and never fewer than `keep_min`."""

    daily: int = 7
    weekly: int = 4
    monthly: int = 6
    keep_min: int = 3


@dataclass(frozen=True)
class Policy:
    """What a gate asks for. `current`: must a fresh backup show the source as it is now (None: SQLite yes)?"""

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
    """How the project runs its own migrations on a copy: a command and what its environment needs."""

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


def load(root: Path, text: str | None = None) -> Config:
    """Given the root of a work tree, return its configuration, ics-guard.local.toml applied.

    `text` is the configuration of another commit: its folders need not exist in this work tree. Raise `ConfigError`
    if there is none, or for anything in it that cannot be meant.
    """
    top = _Table.read(NAME, _read(root / NAME) if text is None else text)
    _override(top, root, strict=text is None)
    version = top.take("version", _integer, None)
    if version != VERSION:
        raise top.trouble("version", f"`version` is {version}, and this ics-guard reads version 1", "write `version = 1`")
    watch, inputs = _watch(top.table("watch"), root, must_exist=text is None)
    general = top.table("policy")
    _policy(general, ())
    environments = {name: _environment(name, table, general) for name, table in top.tables("env")}
    if not environments:
        raise top.trouble("env", "no environment is configured", "add [env.local] with a source, or run `ics-guard init`")
    guess = "local" if "local" in environments or len(environments) > 1 else next(iter(environments))
    default_env = top.take("default_env", _text, guess)
    if default_env not in environments:
        known = ", ".join(environments)
        raise top.trouble("default_env", f"`default_env` {default_env!r} is no environment", f"set it to one of: {known}")
    rehearse = top.table("rehearse") if "rehearse" in top.values else None
    settled = _rehearse(rehearse) if rehearse else None
    top.finish()
    return Config(root, version, default_env, watch, environments, settled, (NAME, *inputs))


def source_path(config: Config, source: Source, main_worktree: Path) -> Path:
    """Given a source, return where its file or folder is: in this work tree, or else in the main one if it is there.

    Raise `ConfigError` for a source that has no path.
    """
    if source.path is None:
        raise ConfigError("config-value", f"source {source.name!r} has no path", f"give it a `path` in {NAME}")
    path = _expand(source.path)
    places = (config.root / path, main_worktree / path)
    return next((place for place in places if os.path.lexists(place)), places[0])


def store_path(environment: Environment, main_worktree: Path) -> Path:
    """Given an environment, return the folder of its store. Raise `ConfigError` for a store that is no folder."""
    if "://" in environment.store:
        where = f"[env.{environment.name}]"
        raise ConfigError("config-value", f"the store of {where} is not a folder", f"set `store` of {where} to a folder")
    return main_worktree / _expand(environment.store)


def alembic_folders(root: Path, entry: str) -> tuple[str, ...]:
    """Given an entry of `watch.alembic` that is a file, return the folders of revisions that it names.

    `entry` is an ini file or a pyproject.toml, read the way Alembic reads them (ConfigParser with `here`; its own
    reader would import SQLAlchemy, a third of a second on every commit). Nothing is imported or run. Raise
    `ConfigError` if the file, or a folder it names, is not there.
    """
    file = root / entry
    if not file.is_file():
        raise _unresolved(entry, "there is no such file")
    try:
        found = _toml_locations(file) if file.suffix == ".toml" else _ini_locations(file)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, configparser.Error) as error:
        raise _unresolved(entry, f"it cannot be read ({str(error).splitlines()[0]})") from error
    beside = root / "pyproject.toml" if not found else None
    if not found and file.suffix != ".toml" and (file.parent / "pyproject.toml").is_file():
        beside = file.parent / "pyproject.toml"
        return alembic_folders(root, os.path.relpath(beside, root))
    if not found:
        raise _unresolved(entry, "it holds no script_location")
    return tuple(dict.fromkeys(folder for one in found for folder in _folders_of(root, entry, *one)))
