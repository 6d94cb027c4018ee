"""Where a configuration is read from: the work tree, or (through git's own reader of trees) any commit or the index."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ics_guard.errors import ConfigError


class Files(Protocol):
    """The files of one tree. Paths are relative to `root`, with slashes; `root` is where the work tree is."""

    @property
    def root(self) -> Path:
        """The top of the work tree, for names that are written in full."""

    def read(self, path: str) -> bytes | None:
        """Given a path, return what is in that file, None if there is none. Raise `ConfigError` if it is unreadable."""

    def has_folder(self, path: str) -> bool:
        """Given a path, return whether it is a folder (`.` is one)."""

    def is_link(self, path: str) -> bool:
        """Given a path, return whether a symbolic link stands there."""


@dataclass(frozen=True)
class OnDisk:
    """The files of a work tree."""

    root: Path

    def read(self, path: str) -> bytes | None:
        """Given a path, return what is in that file, None if there is none. Raise `ConfigError` if it is unreadable."""
        file = self.root / path
        try:
            return file.read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        except OSError as error:
            said = f"{file} cannot be read: {error.strerror}"
            raise ConfigError("config-unreadable", said, f"ls -l {file}") from error

    def has_folder(self, path: str) -> bool:
        """Given a path, return whether it is a folder (`.` is one)."""
        return (self.root / path).is_dir()

    def is_link(self, path: str) -> bool:
        """Given a path, return whether a symbolic link stands there."""
        return (self.root / path).is_symlink()
