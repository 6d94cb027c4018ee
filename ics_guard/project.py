"""The place a command works in: repository, configuration, one environment with its store, and who is asking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from ics_guard import __version__, claim, config, git, known, ledger
from ics_guard.config import Config, Environment, Source
from ics_guard.errors import ConfigError, StoreError
from ics_guard.git import Repository
from ics_guard.model import Entry, Progress, Silence, Store
from ics_guard.stores.local import LocalStore
from ics_guard.stores.readme import README

TOOL = f"ics-guard {__version__}"


def utc_now() -> datetime:
    """The present moment in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Project:
    """Everything a flow is given. `began` is when the command began: an image taken later is of now.

    `patience` is how many seconds a command waits for a database that somebody keeps locked.
    `named` is whether the environment was asked for by name; else it is the default of the configuration.
    """

    repository: Repository
    config: Config
    environment: Environment
    named: bool
    progress: Progress = field(default_factory=Silence)
    began: datetime = field(default_factory=utc_now)
    patience: float = 30.0

    @cached_property
    def store(self) -> Store:
        """The store of the environment. Raise `StoreError` for one that this version cannot use."""
        return open_store(self.environment, self.repository)

    @cached_property
    def operator(self) -> str:
        """Who is asking, as git knows them."""
        return git.identity(self.repository)

    @cached_property
    def commit(self) -> tuple[str, str]:
        """The commit checked out and its description, both empty before the first."""
        return git.head_commit(self.repository)

    def source_path(self, source: Source) -> Path:
        """Where the database of a source is on this machine. Raise `ConfigError` for kinds that are no file."""
        if source.kind != "sqlite":
            raise ConfigError(
                "source-kind",
                f"source {source.name!r} is of kind {source.kind!r}; this version guards SQLite databases only",
                f"take [env.{self.environment.name}.sources.{source.name}] out of ics-guard.toml for now",
            )
        return config.source_path(self.config, source, self.repository.main_worktree)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield a private folder that is gone afterwards, by the next command at the latest."""
        with claim.claimed_folder(self.repository.common_dir / "ics-guard" / "scratch") as folder:
            yield folder

    def record(self, event: str, source: str, data: dict[str, Any]) -> Entry:
        """Write an event into the ledger, and keep its hash outside the store. Raise `StoreError`, `LedgerError`."""
        entry = ledger.append(
            self.store,
            at=utc_now(),
            event=event,
            actor=self.operator,
            env=self.environment.name,
            source=source,
            data=data,
        )
        if not self.lost_head():  # a chain that lacks what this clone knew is not one to vouch for
            self.vouch_for(entry)
        return entry

    def vouch_for(self, entry: Entry) -> None:
        """Keep an entry of the ledger outside the store, as what this clone has known."""
        folder, env = self.repository.common_dir, self.environment.name
        known.remember_head(folder, env, entry.seq, entry.sha256, self.store.location)

    def lost_head(self) -> ledger.Head | None:
        """Return the newest entry that this clone has known of this store, if the store has it no more."""
        met = known.load(self.repository.common_dir).head(self.environment.name)
        if met is None or met.store != self.store.location:
            return None
        head = ledger.Head(met.seq, met.sha256)
        return None if ledger.holds(self.store, head) else head

    def select(self, names: list[str] | tuple[str, ...] = ()) -> tuple[Source, ...]:
        """Given names of sources, return them, or all that gate. Raise `ConfigError` for a name that is none."""
        sources = self.environment.sources
        for name in names:
            if name not in sources:
                raise ConfigError(
                    "unknown-source",
                    f"there is no source {name!r} in environment {self.environment.name!r}",
                    f"use one of: {', '.join(sources) or '(none configured)'}",
                )
        return tuple(sources[name] for name in names) if names else tuple(s for s in sources.values() if s.gate)


def open_project(start: Path, env: str = "", progress: Progress | None = None) -> Project:
    """Given a folder and the name of an environment ("" for the default), return the project around it.

    Raise `UsageError` outside a repository, `ConfigError` for a configuration that is missing or wrong.
    """
    repository = git.open_repository(start)
    return in_environment(repository, config.load(repository.root), env, progress or Silence())


def open_for_hook(start: Path, progress: Progress) -> Project:
    """Given a folder, return the project as a hook sees it.

    On a branch from before ics-guard.toml the configuration that this clone knew last still holds. Raise as
    `open_project` does where there is none.
    """
    repository = git.open_repository(start)
    remembered = repository.common_dir / known.FOLDER / config.NAME
    try:
        settings = config.load(repository.root)
    except ConfigError as error:
        if error.code != "config-missing" or not remembered.exists():
            raise
        progress.note(
            f"there is no {config.NAME} on this branch; what this clone knew last holds (or: git restore {config.NAME})"
        )
        settings = config.load(repository.root, remembered.read_text(encoding="utf-8"))
    else:
        known.keep(remembered, (repository.root / config.NAME).read_bytes())
    return in_environment(repository, settings, "", progress)


def in_environment(repository: Repository, settings: Config, env: str, progress: Progress) -> Project:
    """Given a repository and its configuration, return the project in one environment of it."""
    name = env or settings.default_env
    if name not in settings.environments:
        raise ConfigError(
            "unknown-environment",
            f"there is no environment {name!r} in ics-guard.toml",
            f"use one of: {', '.join(settings.environments)}",
        )
    return Project(repository, settings, settings.environments[name], bool(env), progress)


def open_store(environment: Environment, repository: Repository) -> Store:
    """Given an environment, return its store. Raise `StoreError` for one that this version cannot use."""
    if "://" in environment.store:
        raise StoreError(
            "store-kind",
            f"store {environment.store!r}: this version keeps backups in local folders only",
            f"set `store` of [env.{environment.name}] to a folder",
        )
    return LocalStore(config.store_path(environment, repository.main_worktree), README)
