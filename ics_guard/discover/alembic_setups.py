"""Alembic environments of a repository: what its configuration files name, and folders of revisions beyond that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ics_guard.config import OnDisk, alembic_folders
from ics_guard.discover.nouns import Pattern
from ics_guard.discover.revisions import Migration
from ics_guard.discover.worktree import WorkTree, is_aside, is_vendored
from ics_guard.errors import ConfigError

_LARGEST = 1 << 18


@dataclass(frozen=True)
class Setup:
    """One entry for `watch.alembic`, its folders, the ids of its revisions, and the tables they make."""

    pattern: Pattern
    folders: tuple[str, ...]
    revisions: frozenset[str]
    tables: frozenset[str]


def find_setups(tree: WorkTree, migrations: Iterable[Migration]) -> tuple[list[Setup], list[str]]:
    """Given a work tree and its migrations, return the Alembic environments, and questions that stay open.

    A configuration file is preferred to a folder, for it follows when the folder moves; one that cannot be resolved
    is passed over for the folders that really hold revisions.
    """
    remaining = [one for one in migrations if one.revision]
    setups: list[Setup] = []
    unresolved: dict[str, str] = {}
    for path in _configurations(tree):
        try:
            folders, _ = alembic_folders(OnDisk(tree.root), path)
        except ConfigError as error:
            unresolved[path] = error.message
            continue
        if set(folders) <= {folder for setup in setups for folder in setup.folders}:
            continue
        mine = [one for one in remaining if any(_inside(one.path, folder) for folder in folders)]
        remaining = [one for one in remaining if one not in mine]
        setups.append(_setup(path, f"it keeps {len(mine)} revisions in {', '.join(folders)}", folders, mine))
    why = f" ({', '.join(unresolved)} cannot say so)" if unresolved else ""
    for folder in sorted({_home(one.path) for one in remaining}):
        mine = [one for one in remaining if _home(one.path) == folder]
        setups.append(_setup(folder, f"{len(mine)} revisions are here{why}", (folder,), mine))
    lost = [] if setups else [f"{message}; which folder holds the revisions?" for message in unresolved.values()]
    return setups, lost


def _configurations(tree: WorkTree) -> list[str]:
    def may_be(path: str) -> bool:
        named = path.endswith((".ini", ".cfg")) or PurePosixPath(path).name == "pyproject.toml"
        return named and tree.sizes[path] < _LARGEST and not is_aside(path) and not is_vendored(path)

    # alembic.ini before pyproject.toml, which it refers to when the two share the configuration
    found = sorted(filter(may_be, tree.sizes), key=lambda path: (path.endswith(".toml"), path.count("/"), path))
    return [path for path in found if _names_scripts(tree.read(path), PurePosixPath(path).name)]


def _names_scripts(text: str, name: str) -> bool:
    if name == "pyproject.toml":
        return "[tool.alembic]" in text
    return "script_location" in text or name == "alembic.ini"


def _setup(entry: str, why: str, folders: tuple[str, ...], migrations: list[Migration]) -> Setup:
    tables = frozenset(table for one in migrations for table in one.tables)
    return Setup(Pattern(entry, why), folders, frozenset(one.revision for one in migrations), tables)


def _home(path: str) -> str:
    """The folder to watch for a revision: the one named `versions` above it if there is one, for it may have rooms."""
    parents = [parent.as_posix() for parent in PurePosixPath(path).parents]
    return next((parent for parent in parents if parent.rsplit("/", 1)[-1] == "versions"), parents[0])


def _inside(path: str, folder: str) -> bool:
    return folder == "." or path.startswith(f"{folder}/")
