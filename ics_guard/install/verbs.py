"""Install, uninstall, and how things stand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ics_guard import config, git, sieve
from ics_guard.config import Config
from ics_guard.errors import UsageError
from ics_guard.git import Repository
from ics_guard.install import managers, shims
from ics_guard.install.shims import BLOCKING, HOOKS
from ics_guard.trust import SIGNERS


@dataclass(frozen=True)
class Installation:
    """Which hooks stand and where. `style`: native, managed (theirs call ours), framework or none.

    `chained` are hooks that were there before and run first, `edited` ours that somebody changed since.
    """

    folder: Path
    style: str
    hooks: tuple[str, ...]
    chained: tuple[str, ...]
    edited: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The blocking hooks that do not stand: what they would have held passes."""
        return tuple(name for name in BLOCKING if name not in self.hooks)


def install(repository: Repository, settings: Config) -> Installation:
    """Given a repository and its configuration, install the hooks and return how they stand; again is no harm.

    A hook that is there is kept and runs first. Raise `UsageError`, nothing being changed, where the pre-commit
    framework already runs ics-guard or a hook is in doubt; and where somebody else writes the hooks, with what to
    add there so that they call ours.
    """
    managers.refuse_beside_framework(repository)
    folder = hooks_folder(repository)
    manager = managers.manager_of(repository, folder)
    target = repository.common_dir / managers.OWN if manager else folder
    shims.refuse_edited(target)
    shims.refuse_two(target)
    refresh_sieve(repository, settings)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name in HOOKS:
            shims.put(target, name)
    except OSError as error:
        raise _unwritable(error) from error
    done = installed(repository)
    if manager and done.missing:
        message = f"{folder} is {manager.words}, so ics-guard does not write there; its hooks wait in {target}"
        raise UsageError("hooks-managed", message, manager.advice(done.missing))
    return done


def uninstall(repository: Repository) -> tuple[str, ...]:
    """Given a repository, take the hooks out, put back what was there before, and return the names of those removed.

    Raise `UsageError`, nothing being changed, if somebody edited one of ours.
    """
    folders = (hooks_folder(repository), repository.common_dir / managers.OWN)
    for folder in folders:
        shims.refuse_edited(folder)
    try:
        removed = [name for folder in folders for name in HOOKS if shims.take_out(folder, name)]
        (repository.common_dir / sieve.FILE).unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(error) from error
    return tuple(dict.fromkeys(removed))


def installed(repository: Repository) -> Installation:
    """Given a repository, return which hooks stand, and in which way; nothing is changed."""
    folder = hooks_folder(repository)
    manager = managers.manager_of(repository, folder)
    places = {name: shims.place(repository.common_dir / managers.OWN if manager else folder, name) for name in HOOKS}
    edited = tuple(name for name in HOOKS if shims.is_edited(places[name]))
    ours = tuple(name for name in HOOKS if shims.is_ours(places[name]) and os.access(places[name], os.X_OK))
    if manager:
        called = tuple(name for name in ours if manager.calls(name))
        return Installation(folder, "managed" if called else "none", called, (), edited)
    if not ours and managers.in_framework(repository):
        theirs = tuple(name for name in HOOKS if managers.is_framework_file(folder / name))
        return Installation(folder, "framework" if theirs else "none", theirs, (), ())
    chained = tuple(name for name in ours if os.path.lexists(shims.chained(folder, name)))
    return Installation(folder, "native" if ours else "none", ours, chained, edited)


def refresh_sieve(repository: Repository, settings: Config) -> None:
    """Given a configuration just read, compile what the hooks need to tell at once that nothing is watched.

    Raise `UsageError` if it cannot be written.
    """
    path = repository.common_dir / sieve.FILE
    try:
        wanted = _compiled(repository, settings)
        if wanted is None or wanted == shims.content_of(path):
            return
        # Read again: old patterns beside new contents would be believed.
        again = config.load(repository.root)
        if (again.watch, again.inputs) == (settings.watch, settings.inputs) and _compiled(
            repository, settings
        ) == wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            shims.write(path, wanted, 0o644)
    except OSError as error:
        raise _unwritable(error) from error


def hooks_folder(repository: Repository) -> Path:
    """Given a repository, return the folder in which git looks for its hooks: core.hooksPath or its own."""
    asked = git.output(repository, "rev-parse", "--git-path", "hooks")
    return repository.root / os.fsdecode(asked.removesuffix(b"\n"))


def _compiled(repository: Repository, settings: Config) -> bytes | None:
    watch = settings.watch
    submodules = tuple(path for path in git.submodules(repository) if watch.kind_below(path))
    patterns = (*watch.patterns(), git.ATTRIBUTES)
    return sieve.compiled(patterns, settings.inputs, os.fspath(settings.root), (SIGNERS, *submodules))


def _unwritable(error: OSError) -> UsageError:
    where = error.filename or "the git directory"
    fix = f"make {where} writable, then: ics-guard install"
    return UsageError("hooks-unwritable", f"{where}: {error.strerror}", fix)
