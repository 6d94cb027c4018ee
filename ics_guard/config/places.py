"""Where the sources and stores of a configuration are on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from ics_guard.config.nouns import Config, Environment, Source
from ics_guard.errors import ConfigError


def source_path(config: Config, source: Source, main_worktree: Path) -> Path:
    """Given a source, return where its file or folder is: in this work tree, else in the main one if it is there.

    Raise `ConfigError` for a source without a path.
    """
    if source.path is None:
        raise ConfigError("config-value", f"source {source.name!r} has no path", "give it a `path` in ics-guard.toml")
    path = _expanded(source.path)
    here, main = config.root / path, main_worktree / path
    return main if not os.path.lexists(here) and os.path.lexists(main) else here


def store_path(environment: Environment, main_worktree: Path) -> Path:
    """Given an environment, return the folder of its store, which linked worktrees share.

    Raise `ConfigError` for a store that is no folder.
    """
    if "://" in environment.store:
        table = f"[env.{environment.name}]"
        raise ConfigError(
            "config-value", f"the store of {table} is not a folder", f"set `store` of {table} to a folder"
        )
    return main_worktree / _expanded(environment.store)


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            "config-value", f"{path}: there is no such home folder here", "write the whole path in ics-guard.local.toml"
        ) from error
