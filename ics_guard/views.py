"""Which configurations have a say in a diff: the one it leads to, the one it comes from, and that of its target."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ics_guard import config, git
from ics_guard.errors import ConfigError
from ics_guard.git import Diff, FileChange, Repository, TreeFiles
from ics_guard.model import Progress
from ics_guard.project import Project, in_environment
from ics_guard.trust import lists_of_keys

_Version = tuple[str, ...]


@dataclass(frozen=True)
class View:
    """Diffs that share their configurations: `head` as it will be, `base` as it was (None: there was none).

    `now` is the one that a person sees and works with: for what is staged that of the work tree, else `head`.
    `target` is that of the branch that the diff is to join, which may have moved on since. `unreadable` says what is
    wrong with the configuration at the base, where it cannot be read.
    """

    now: Project
    head: Project
    base: Project | None
    target: Project | None
    unreadable: str
    diffs: tuple[Diff, ...]

    @property
    def others(self) -> tuple[tuple[str, Project], ...]:
        """Every other configuration that has a say, with the words for it, on the places that `now` names."""
        named = (
            ("as it is staged", self.head),
            ("as it was before this change", self.base),
            ("as it is where this is going", self.target),
        )
        found: list[tuple[str, Project]] = []
        for words, one in named:
            if one and all(one.config != other.config for other in (self.now, *(other for _, other in found))):
                found.append((words, one))
        return tuple((words, _with_places_of(one, self.now)) for words, one in found)


def opened_for(repository: Repository, diff: Diff, env: str, progress: Progress) -> Project:
    """Given a diff, return the project in an environment ("" for the default).

    A diff that takes ics-guard.toml away is judged by the one that it takes away. Raise `ConfigError` where there is
    none at all.
    """
    try:
        settings = config.load(repository.root)
    except ConfigError as error:
        if error.code != "config-missing":
            raise
        trees = (TreeFiles(repository, tree) for tree in (diff.head, diff.base, diff.target))
        there = next((files for files in trees if files.read(config.NAME) is not None), None)
        if there is None:
            raise
        settings = config.load(repository.root, files=there)
    return in_environment(repository, settings, env, progress)


def views(project: Project, diffs: Sequence[Diff]) -> list[View]:
    """Given diffs, return them by the configurations that have a say in them.

    A head without ics-guard.toml is judged by that of the work tree, which may not be committed yet. Raise
    `ConfigError` if the configuration at a head is wrong, or its places are committed with it.
    """
    at = _Configurations(project, {tree for diff in diffs for tree in (diff.base, diff.head, diff.target)})
    grouped: dict[tuple[_Version, ...], list[Diff]] = defaultdict(list)
    for diff in diffs:
        # What a branch is, and what its target becomes with it, are judged each by itself, evidence included.
        stands = (diff.onto,) if diff.onto != diff.base else ()
        grouped[(stands, *(at.versions[tree] for tree in (diff.head, diff.base, diff.target)))].append(diff)
    return [_view(project, at, tuple(some)) for some in grouped.values()]


def _view(project: Project, at: _Configurations, diffs: tuple[Diff, ...]) -> View:
    diff = diffs[0]
    if at.places_are_committed(diff.head):
        raise ConfigError(
            "local-committed",
            f"{config.LOCAL_NAME} is committed: it is for one machine, and would move everybody's gate",
            f"git rm --cached {config.LOCAL_NAME} && echo /{config.LOCAL_NAME} >> .gitignore",
        )
    head, wrong = at.read(diff.head)
    if wrong:
        raise wrong
    (base, at_base), (target, at_target) = at.read(diff.base), at.read(diff.target)
    unreadable = at_base or at_target
    head = head or project
    now = project if diff.head is None else head
    diffs = _with_new_folders(diffs, base, head)
    return View(now, head, base, target, unreadable.message if unreadable else "", diffs)


def _with_new_folders(diffs: tuple[Diff, ...], base: Project | None, head: Project) -> tuple[Diff, ...]:
    """What stands already in a folder that Alembic's own configuration names from now on is run like what is new."""
    if base is None or base.config.watch.alembic != head.config.watch.alembic:
        return diffs  # ics-guard.toml itself names more: whoever writes that knows what is there
    new = [one for one in head.config.watch.alembic_folders if one not in base.config.watch.alembic_folders]
    return tuple(replace(diff, files=(*diff.files, *_standing(head.repository, diff, new))) for diff in diffs)


def _standing(repository: Repository, diff: Diff, folders: Sequence[str]) -> Iterator[FileChange]:
    told, files = {path for file in diff.files for path in file.paths}, TreeFiles(repository, diff.head)
    for path, oid in {name: oid for folder in folders for name, oid in files.list(f"{folder}/").items()}.items():
        if path not in told:
            yield FileChange("A", path, None, None, oid)


_Found = tuple[Project | None, ConfigError | None]


@dataclass
class _Recorded:
    """The files of a tree, and which paths somebody asked for: what is there decides what a configuration means."""

    files: TreeFiles
    asked: dict[str, None] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.files.root

    def read(self, path: str) -> bytes | None:
        return self._noted(path).read(path)

    def has_folder(self, path: str) -> bool:
        return self._noted(path).has_folder(path)

    def is_link(self, path: str) -> bool:
        return self._noted(path).is_link(path)

    def _noted(self, path: str) -> TreeFiles:
        self.asked[path] = None
        return self.files


class _Configurations:
    """The configuration at each of many trees, read once for all trees that hold the same where it looks."""

    def __init__(self, project: Project, trees: set[str | None]) -> None:
        self._project = project
        signers, revoked = lists_of_keys(project)
        names, found = [*filter(None, (config.NAME, config.LOCAL_NAME, *signers, revoked))], dict[_Version, _Found]()
        while True:
            self.versions = git.versions(project.repository, trees, names)
            asked = dict.fromkeys(names)
            for tree, version in self.versions.items():
                if version not in found:
                    found[version], more = self._load(tree) if version[0] else ((None, None), ())
                    asked |= dict.fromkeys(more)
            if len(asked) == len(names):
                break
            names, found = list(asked), {}  # where these differ, so may what was read
        self._read = found

    def read(self, tree: str | None) -> _Found:
        """The project as configured there, or why it cannot be; neither where there is no configuration."""
        return self._read[self.versions[tree]]

    def places_are_committed(self, tree: str | None) -> bool:
        """Whether ics-guard.local.toml is there, as whatever: a checkout follows a link as well."""
        return bool(self.versions[tree][1])

    def _load(self, tree: str | None) -> tuple[_Found, Collection[str]]:
        files = _Recorded(TreeFiles(self._project.repository, tree))
        return self._read_from(files), files.asked

    def _read_from(self, files: _Recorded) -> _Found:
        project = self._project
        try:
            settings = config.load(project.repository.root, files=files)
            name = project.environment.name if project.named else ""
            found = in_environment(project.repository, settings, name, project.progress)
        except ConfigError as error:
            if error.code != "unknown-environment":
                return None, error
            found = replace(project, config=settings)  # new since: what was watched then counts all the same
        return replace(found, began=project.began), None


def _with_places_of(project: Project, now: Project) -> Project:
    """What was asked, of the data where it is now: a place that was wrong says nothing about what the gate asks for."""
    environment, places = project.environment, now.environment.sources
    sources = {
        name: replace(source, kind=places[name].kind, path=places[name].path, url=places[name].url)
        if name in places
        else source
        for name, source in environment.sources.items()
    }
    return replace(project, environment=replace(environment, store=now.environment.store, sources=sources))
