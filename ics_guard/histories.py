"""What the histories of migrations show beyond single files: each folder of them read whole at both ends of a diff."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from ics_guard import git
from ics_guard.config import Watch
from ics_guard.detect.alembic.graph import graph_changes
from ics_guard.detect.django.graph import django_graph_changes
from ics_guard.git import Diff, FileChange, Repository
from ics_guard.model import Change, Kind

_GRAPHS = {Kind.ALEMBIC: graph_changes, Kind.DJANGO: django_graph_changes}


class Room(NamedTuple):
    """A folder of migrations: of Alembic with all below it, of Django alone."""

    folder: str
    kind: Kind

    def holds(self, path: str) -> bool:
        """Given a watched path, return whether it is in the folder."""
        if self.kind is Kind.DJANGO:
            return _parent(path) == self.folder
        return self.folder == "." or path.startswith(f"{self.folder}/")


class Histories:
    """The folders of migrations that the watched files of some diffs are in, each version of them read once."""

    def __init__(self, repository: Repository, watch: Watch, watched: Mapping[Diff, Collection[FileChange]]) -> None:
        self._repository = repository
        self._watch = watch
        self._watched = watched
        self._rooms = {diff: self._touched(files) for diff, files in watched.items()}
        self._contents: dict[Room, Mapping[str | None, Mapping[str, bytes]]] = {}

    def completed(self, diff: Diff, changes: list[Change]) -> list[Change]:
        """Given a diff and the changes of its files, return these, completed by what the histories show of them."""
        for room in self._rooms[diff]:
            contents = self._read(room)
            before = {**contents[diff.base], **self._moved_in(diff, room)}
            changes = _GRAPHS[room.kind](before, contents[diff.head], changes)
        return changes

    def _moved_in(self, diff: Diff, room: Room) -> dict[str, bytes]:
        """What came from another folder as it was there: a history that moves as a whole is not a new one."""
        moved = {
            file.path: file.before
            for file in self._watched[diff]
            if file.before
            and file.previous_path
            and self._is_in(room, file.path)
            and not room.holds(file.previous_path)
        }
        blobs = git.read_blobs(self._repository, moved.values())
        return {path: blobs[oid] for path, oid in moved.items()}

    def _touched(self, files: Collection[FileChange]) -> list[Room]:
        kinds = {path: self._watch.kind_of(path) for file in files for path in file.paths}
        rooms = [Room(folder, Kind.ALEMBIC) for folder in self._watch.alembic_folders]
        rooms += [Room(_parent(path), Kind.DJANGO) for path, kind in kinds.items() if kind is Kind.DJANGO]
        return [
            room
            for room in dict.fromkeys(rooms)
            if any(kind is room.kind and room.holds(path) for path, kind in kinds.items())
        ]

    def _read(self, room: Room) -> Mapping[str | None, Mapping[str, bytes]]:
        if room not in self._contents:
            ends = {tree for diff, rooms in self._rooms.items() if room in rooms for tree in (diff.base, diff.head)}
            self._contents[room] = {
                tree: {path: content for path, content in files.items() if self._is_in(room, path)}
                for tree, files in git.read_folder(self._repository, room.folder, ends).items()
            }
        return self._contents[room]

    def _is_in(self, room: Room, path: str) -> bool:
        return room.holds(path) and self._watch.kind_of(path) is room.kind


def _parent(path: str) -> str:
    return PurePosixPath(path).parent.as_posix()
