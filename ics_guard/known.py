"""What this clone has known: its sources and ledger heads, kept where `git clean -xfd` does not reach."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ics_guard.claim import sync_folder
from ics_guard.errors import LedgerError, StoreError

FOLDER = "ics-guard"
FILE_NAME = "known.json"
VERSION = 1


@dataclass(frozen=True)
class KnownSource:
    """A source as last met: when and where data was seen, or that `init` found none and said so."""

    seen_at: datetime | None = None
    path: str | None = None
    declared_empty: bool = False


@dataclass(frozen=True)
class KnownHead:
    """The newest ledger entry this clone has written or read, and the store it is in."""

    seq: int
    sha256: str
    store: str


@dataclass(frozen=True)
class Known:
    """Everything this clone has known; sources by "env/source", heads by environment."""

    sources: Mapping[str, KnownSource] = field(default_factory=dict)
    heads: Mapping[str, KnownHead] = field(default_factory=dict)

    def source(self, env: str, source: str) -> KnownSource | None:
        """Given an environment and a source by name, return what is known of it, None if it was never met."""
        return self.sources.get(f"{env}/{source}")

    def head(self, env: str) -> KnownHead | None:
        """Given an environment by name, return its newest known ledger entry, None if there is none."""
        return self.heads.get(env)


def load(common_dir: Path) -> Known:
    """Given the common git directory of a clone, return what the clone has known: nothing, if it never wrote it down.

    Raise `LedgerError` if the file is there and damaged: that is not the same as having known nothing.
    """
    file = common_dir / FOLDER / FILE_NAME
    try:
        return _decode(json.loads(file.read_bytes()))
    except FileNotFoundError:
        return Known()
    except OSError as error:
        raise LedgerError("known-unreadable", f"{file} cannot be read: {error.strerror}", f"ls -l '{file}'") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LedgerError(
            "known-damaged",
            f"{file}, which says what this clone has known, is damaged: {error}",
            f"mv '{file}' '{file}.damaged'   then: ics-guard ledger verify, and ics-guard init",
        ) from error


def remember_source(common_dir: Path, env: str, source: str, path: Path | str) -> None:
    """Given a source whose data was seen just now at `path`, keep that. Raise `LedgerError`, `StoreError`."""
    with _updating(common_dir) as known:
        known.sources[f"{env}/{source}"] = KnownSource(datetime.now(UTC), str(path))


def declare_empty(common_dir: Path, env: str, source: str) -> None:
    """Given a source that has no data here, keep that `init` said so. Data seen before stays seen.

    Raise `LedgerError` or `StoreError` if it cannot be kept.
    """
    with _updating(common_dir) as known:
        met = known.sources.get(f"{env}/{source}", KnownSource())
        known.sources[f"{env}/{source}"] = replace(met, declared_empty=True)


def remember_head(common_dir: Path, env: str, seq: int, sha256: str, store: str) -> None:
    """Given a ledger entry just written or checked, keep it unless a newer one of that store is known already.

    Raise `LedgerError` or `StoreError` if it cannot be kept.
    """
    with _updating(common_dir) as known:
        met = known.heads.get(env)
        if met is None or met.store != store or met.seq <= seq:
            known.heads[env] = KnownHead(seq, sha256, store)


def forget_head(common_dir: Path, env: str) -> None:
    """Given an environment whose ledger is lost, and that loss accepted, forget its newest known entry.

    Raise `LedgerError` or `StoreError` if that cannot be kept.
    """
    with _updating(common_dir) as known:
        known.heads.pop(env, None)


def keep(file: Path, content: bytes) -> None:
    """Given a file of this clone's memory, make its content this, whole or not at all. Raise `StoreError`."""
    with _locked(file.parent):
        if not file.exists() or file.read_bytes() != content:
            _write(file, content)


@dataclass
class _Draft:
    sources: dict[str, KnownSource]
    heads: dict[str, KnownHead]


@contextmanager
def _updating(common_dir: Path) -> Iterator[_Draft]:
    """Yield what is known, to be changed; whoever else wants to change it waits until this is on disk."""
    with _locked(common_dir / FOLDER) as folder:
        known = load(common_dir)
        draft = _Draft(dict(known.sources), dict(known.heads))
        yield draft
        _write(folder / FILE_NAME, json.dumps(_encode(draft), indent=1, sort_keys=True, ensure_ascii=True).encode())


@contextmanager
def _locked(folder: Path) -> Iterator[Path]:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / f"{FILE_NAME}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        os.close(lock)


def _write(file: Path, content: bytes) -> None:
    # the lock makes one name enough, so that what a kill leaves behind is overwritten by the next update
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(file)
    sync_folder(file.parent)


def _unwritable(folder: Path, error: OSError) -> StoreError:
    said = f"what this clone knows cannot be kept in {folder}: {error.strerror or error}"
    return StoreError("known-unwritable", said, f"df -h '{folder}' && ls -ld '{folder}'")


def _encode(draft: _Draft) -> dict[str, Any]:
    sources = {
        name: {**asdict(source), "seen_at": source.seen_at.isoformat() if source.seen_at else None}
        for name, source in draft.sources.items()
    }
    heads = {env: asdict(head) for env, head in draft.heads.items()}
    return {"schema_version": VERSION, "sources": sources, "heads": heads}


def _decode(document: Any) -> Known:
    if document["schema_version"] != VERSION:
        raise ValueError(f"it is of version {document['schema_version']}, which this ics-guard does not read")
    return Known(
        {name: _decode_source(one) for name, one in document["sources"].items()},
        {
            env: KnownHead(int(one["seq"]), _text(one["sha256"]), _text(one["store"]))
            for env, one in document["heads"].items()
        },
    )


def _decode_source(one: Any) -> KnownSource:
    seen_at = None if one["seen_at"] is None else datetime.fromisoformat(one["seen_at"])
    path = None if one["path"] is None else _text(one["path"])
    if not isinstance(one["declared_empty"], bool):
        raise TypeError("declared_empty is neither true nor false")
    return KnownSource(seen_at, path, one["declared_empty"])


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
