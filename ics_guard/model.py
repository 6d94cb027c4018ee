"""The nouns: what a change, a backup, a ledger entry, a decision and a plan are. No I/O, no verbs with effects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

SCHEMA_VERSION = 1
"""Version of every JSON document and ledger entry; fields may be added under one version, none renamed."""


class Severity(StrEnum):
    """How much a change can hurt, from the worst down; `unknown` is treated as risky."""

    DESTRUCTIVE = "destructive"
    RISKY = "risky"
    UNKNOWN = "unknown"
    ADDITIVE = "additive"
    NOTICE = "notice"

    @property
    def rank(self) -> int:
        """0 for the worst; smaller is worse."""
        return list(Severity).index(self)


class Kind(StrEnum):
    """Where a change was found."""

    ALEMBIC = "alembic"
    DJANGO = "django"
    SQL = "sql"
    EMBEDDED = "embedded"
    MODEL = "model"
    CONFIG = "config"


@dataclass(frozen=True)
class Effect:
    """What is visible in a schema once a change is applied: `object` is there, or is gone.

    `object` is lower-case: `table:episodes`, `column:episodes.title`, `index:idx_x`, `view:v`, `trigger:t`.
    """

    object: str
    present: bool


@dataclass(frozen=True)
class Change:
    """One schema-impacting edit found in a git diff. `line` and `column` count from 1 in the new file (old if gone).

    `digest` is a hex SHA-256 of the normalised operation alone: not of path, line, comments or formatting.
    `revision` is the Alembic revision it belongs to. `sources` are the names of the sources that answer for it.
    `undoes`: the digests that what is gone would have where it came in.
    """

    path: str
    line: int
    column: int
    kind: Kind
    rule: str
    operation: str
    object: str
    severity: Severity
    reason: str
    digest: str
    revision: str | None = None
    effects: tuple[Effect, ...] = ()
    sources: tuple[str, ...] = ()
    undoes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What an image says of itself, taken on the image: a drill must find the same in the stored bytes.

    `rows` is table -> row count; `objects` the schema in the spelling of `Effect.object`; `revisions` the Alembic
    heads; `foreign_key_violations` counts broken references the live data already had.
    """

    schema_sha256: str
    rows: Mapping[str, int]
    objects: tuple[str, ...]
    revisions: tuple[str, ...]
    user_version: int
    page_size: int
    page_count: int
    foreign_key_violations: int = 0
    unchecked: tuple[str, ...] = ()


@dataclass(frozen=True)
class StoredFile:
    """One file of a backup in the store. `role` is `image`, or for a salvage `main`, `wal`, `journal`.

    `sha256`/`stored_bytes` are of the file as stored, `content_sha256`/`bytes` of what comes out of it.
    """

    key: str
    role: str
    sha256: str
    stored_bytes: int
    content_sha256: str
    bytes: int


class BackupKind(StrEnum):
    """Why a backup exists. A salvage is a byte copy of something that cannot be drilled: never called verified."""

    BACKUP = "backup"
    SAFETY = "safety"
    SALVAGE = "salvage"


@dataclass(frozen=True)
class Backup:
    """One image of one source at one instant, write-once, as its metadata in the store says it.

    `imaged_at` is the instant (UTC) just before imaging began. `fingerprint` lets a later command say "unchanged
    since" without reading the source; empty when the source moved meanwhile. `seconds` covers image to store.
    """

    id: str
    set: str
    source: str
    env: str
    kind: BackupKind
    imaged_at: datetime
    files: tuple[StoredFile, ...]
    facts: Facts | None
    fingerprint: str
    origin: str
    commit: str
    describe: str
    operator: str
    seconds: float
    tool: str

    @property
    def image(self) -> StoredFile:
        """The file that holds the image (of a salvage: the main file)."""
        return self.files[0]


@dataclass(frozen=True)
class Check:
    """One question asked of restored data. `detail` is what was found, in words."""

    name: str
    ok: bool
    detail: str
    seconds: float = 0.0


@dataclass(frozen=True)
class BackupRecord:
    """A backup with what the ledger knows of it since: its newest drill, and whether its files are there."""

    backup: Backup
    verified_at: datetime | None
    drill_seconds: float | None
    drill_ok: bool | None
    files_present: bool
    seq: int


@dataclass(frozen=True)
class Entry:
    """One line of the ledger. `sha256` is over the canonical JSON of all other fields, `prev` that of seq - 1."""

    seq: int
    at: datetime
    event: str
    actor: str
    env: str
    source: str
    data: Mapping[str, Any]
    prev: str
    sha256: str


@dataclass(frozen=True)
class Reason:
    """Why a gate blocks (or what it wants said). `fix` is one command. `creatable`: a backup now would mend it."""

    code: str
    source: str
    message: str
    fix: str
    blocking: bool = True
    creatable: bool = False


@dataclass(frozen=True)
class Evidence:
    """What the evidence in a commit says of the changes asked about, all by digest.

    `waived`: who accepts that there is no way back, and why, in words. `attested`: by source, the way back that an
    allowed signer vouches for, in words. `flaws`: why a file that seems meant for the change does not count.
    """

    waived: Mapping[str, str] = field(default_factory=dict)
    attested: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    flaws: Mapping[str, tuple[Reason, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Way:
    """The way back of a change in one source. `standing` says how the backup stands to the change.

    `fresh`: the change is not applied, and the backup shows the data as it is. `before`: it is applied, and the backup
    is from before. `after`: it is applied and nothing from before exists; policy let that pass.
    """

    record: BackupRecord
    standing: Literal["fresh", "before", "after"]


@dataclass(frozen=True)
class Decision:
    """Allow or block, with reasons and the backups that the decision rests on.

    `ways` is by digest of a change, then by source, the backup that is its way back and in what way (see `Way`).
    """

    allowed: bool
    reasons: tuple[Reason, ...]
    changes: tuple[Change, ...]
    backups: tuple[BackupRecord, ...] = ()
    ways: Mapping[str, Mapping[str, Way]] = field(default_factory=dict)


@dataclass(frozen=True)
class Holder:
    """A process that has a database file open."""

    pid: int
    command: str
    since: datetime | None = None


@dataclass(frozen=True)
class TableLoss:
    """What happened to live rows of one table since a backup; None where it cannot be told without keys."""

    table: str
    added: int | None
    changed: int | None
    removed: int | None


class Progress(Protocol):
    """Told what a flow is doing. `total` is in bytes, 0 when unknown; `seconds` the time it is expected to take."""

    def start(self, what: str, total: int = 0, seconds: float = 0.0) -> None:
        """A new phase begins."""

    def advance(self, amount: int) -> None:
        """That many more bytes of the phase are done."""

    def note(self, message: str) -> None:
        """Something worth a line of its own, at once."""


class Silence:
    """A Progress that says nothing."""

    def start(self, what: str, total: int = 0, seconds: float = 0.0) -> None:
        """Say nothing."""

    def advance(self, amount: int) -> None:
        """Say nothing."""

    def note(self, message: str) -> None:
        """Say nothing."""


class Store(Protocol):
    """Where backups and ledger live. Keys are relative POSIX paths; every object is write-once.

    All verbs raise `StoreError`, which names the place and the cause. Restores, drills and gates only read.
    """

    @property
    def location(self) -> str:
        """The store as a person would write it (a path or URL, never a secret)."""

    def describe(self, key: str) -> str:
        """Where the object of this key is, for a person."""

    def create(self, key: str, data: bytes) -> bool:
        """Put `data` under `key`, whole and durable, unless the key exists; return whether it was put."""

    def writing(self, key: str) -> AbstractContextManager[Incoming]:
        """Yield an `Incoming` to write a large object; nothing is visible under `key` before `publish()`."""

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Yield the object's bytes as a stream. Raise `StoreError` if there is none."""

    def size(self, key: str) -> int | None:
        """Bytes stored under `key`, or None if there is no such object."""

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys that begin with `prefix`, sorted."""

    def delete(self, key: str) -> None:
        """Remove the object; no error if there is none."""


class Incoming(Protocol):
    """An object on its way into a store."""

    @property
    def stream(self) -> BinaryIO:
        """Where to write the bytes."""

    def reread(self) -> AbstractContextManager[BinaryIO]:
        """Make what was written durable and yield it again, as stored, before it is visible to anyone."""

    def publish(self) -> bool:
        """Make it visible under its key unless the key exists; return whether it was."""


@dataclass(frozen=True)
class Situation:
    """What a gate knows of one source before it decides. Gathered by the gate flow, judged by `policy.decide`.

    `seen`: this clone, or the ledger, has known data here. `declared_empty`: `init` recorded "no data here".
    `problem` is a Reason that makes the source unusable (unreadable, tracked by git, …). `unchanged` is the id of
    the backups whose fingerprint still matches. `applied` tells per change digest: True, False, or None when it
    cannot be told. `before` is per change digest the newest verified backup from before the change, if any.
    `strange_heads` are Alembic revisions the database stands at that this work tree does not have. `unseen` says why
    the source cannot be looked at from here at all, whatever is there; `env` is its environment. `known_path` and
    `known_store`: this clone has kept data of it from that place, and in that store, before.
    """

    source: str
    kind: str
    required: bool
    exists: bool
    seen: bool
    declared_empty: bool
    problem: Reason | None
    records: tuple[BackupRecord, ...]
    unchanged: frozenset[str]
    applied: Mapping[str, bool | None]
    before: Mapping[str, BackupRecord]
    path: Path | None = None
    strange_heads: tuple[str, ...] = ()
    unseen: str = ""
    env: str = ""
    known_path: bool = False
    known_store: bool = False
