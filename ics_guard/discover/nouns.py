"""The nouns of a proposal: what was found, and why it was chosen or what must be asked."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Pattern:
    """An entry for `[watch]`, and why it is one."""

    text: str
    why: str


@dataclass(frozen=True)
class Database:
    """A SQLite database that is here, or that the code names and that is not here yet.

    `path` is relative to the root unless it is outside. `bytes` is None where there is no file. `revisions` is what
    its alembic_version holds. `problem` says why it cannot be read; it is never guessed around. `guards` are the
    patterns it answers for.
    """

    path: str
    bytes: int | None
    tracked: bool
    tables: int
    revisions: tuple[str, ...]
    why: str
    chosen: bool = False
    problem: str = ""
    guards: tuple[str, ...] = ("**",)

    @property
    def exists(self) -> bool:
        """Is there a file?"""
        return self.bytes is not None


@dataclass(frozen=True)
class Artifact:
    """A folder of data beside the database: transcripts, audio, images. `bytes` and `files` count all below it."""

    path: str
    files: int
    bytes: int
    tracked: bool
    why: str


@dataclass(frozen=True)
class Proposal:
    """What a repository's configuration should be. Databases come best first, test fixtures last.

    `exclude` holds watched files that only look relevant. `questions` are what cannot be told from here.
    """

    alembic: tuple[Pattern, ...]
    django: tuple[Pattern, ...]
    sql: tuple[Pattern, ...]
    embedded: tuple[Pattern, ...]
    models: tuple[Pattern, ...]
    exclude: tuple[Pattern, ...]
    databases: tuple[Database, ...]
    artifacts: tuple[Artifact, ...]
    questions: tuple[str, ...]

    @property
    def chosen(self) -> tuple[Database, ...]:
        """The databases to guard."""
        return tuple(database for database in self.databases if database.chosen)

    def with_only(self, database: Database) -> Proposal:
        """Return the same proposal with this database as the one to guard, for all watched paths."""
        others = tuple(replace(one, chosen=False) for one in self.databases if one.path != database.path)
        return replace(self, databases=(replace(database, chosen=True, guards=("**",)), *others))
