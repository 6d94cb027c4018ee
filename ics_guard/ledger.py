"""The ledger: an append-only, hash-chained record, one write-once file an entry.

An entry is `ledger/00000042.json`. Its `sha256` is the hex SHA-256 of the canonical JSON (sorted keys, no spaces,
ASCII) of all its other fields; `prev` is the `sha256` of the entry before it, empty for the first. Appending is an
exclusive create of the next number, so that several writers never lose or overwrite each other's entries.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from ics_guard.errors import LedgerError
from ics_guard.model import SCHEMA_VERSION, Backup, BackupKind, BackupRecord, Entry, Store

PREFIX = "ledger/"


@dataclass(frozen=True)
class Fault:
    """One thing that `verify` found wrong, at one sequence number."""

    seq: int
    message: str


@dataclass(frozen=True)
class Head:
    """The newest entry that a clone has seen; held outside the store."""

    seq: int
    sha256: str


def key_of(seq: int) -> str:
    """Given a sequence number, return the key of its entry."""
    return f"{PREFIX}{seq:08d}.json"


def digest(fields: Mapping[str, Any]) -> str:
    """Given an entry as a mapping, return the hash that it must carry."""
    body = {name: value for name, value in fields.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read(store: Store) -> tuple[Entry, ...]:
    """Given a store, return all entries in order. Raise `LedgerError` if one cannot be read or does not chain."""
    entries, faults = load(store)
    if faults:
        first = faults[0]
        raise LedgerError(
            "ledger-broken",
            f"the ledger in {store.location} is not what was written, first at entry {first.seq}: {first.message}",
            "see `ics-guard ledger verify`; bring the entries back from a copy; or begin anew: move the folder ledger "
            "out of the store, then: ics-guard init && ics-guard backup && ics-guard drill --all",
        )
    return entries


def append(
    store: Store, *, at: datetime, event: str, actor: str, env: str, source: str, data: Mapping[str, Any]
) -> Entry:
    """Given an event, write it as the next entry and return it. Raise `StoreError` if the store refuses.

    A damaged entry does not keep the next one from being written: on the bad day the restore must be recorded too.
    The damage stays visible to `verify`, and `read` keeps every gate shut.
    """
    while True:
        keys = tuple(store.keys(PREFIX))  # one listing decides both number and predecessor
        entries, _ = _read_all(store, keys)
        newest = max((_number(key) or 0 for key in keys), default=0)
        fields: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "seq": newest + 1,
            "at": msgspec.to_builtins(at),
            "event": event,
            "actor": actor,
            "env": env,
            "source": source,
            "data": data,
            "prev": entries[-1].sha256 if entries else "",
        }
        fields["sha256"] = digest(fields)
        if store.create(key_of(fields["seq"]), json.dumps(fields, indent=1, sort_keys=True).encode() + b"\n"):
            return _entry(fields)
        if key_of(fields["seq"]) not in store.keys(PREFIX):  # something that is no entry sits there: not a rival's
            where = store.describe(key_of(fields["seq"]))
            raise LedgerError(
                "ledger-blocked", f"the next entry cannot be written: {where} is in its place", f"ls -l {where}"
            )


def load(store: Store) -> tuple[tuple[Entry, ...], tuple[Fault, ...]]:
    """Given a store, return the entries that can be read, and what is wrong with the chain, both in order."""
    return _read_all(store, tuple(store.keys(PREFIX)))


def _read_all(store: Store, keys: tuple[str, ...]) -> tuple[tuple[Entry, ...], tuple[Fault, ...]]:
    entries: list[Entry] = []
    faults: list[Fault] = []
    previous: str | None = ""
    expected = 1
    for key in keys:
        seq = _number(key)
        if seq is None:
            faults.append(Fault(expected, f"{key} is no name of a ledger entry"))
            continue
        if seq != expected:
            faults.append(Fault(expected, f"entry {expected} is missing"))
            previous = None
        with store.open(key) as stream:
            raw = stream.read()
        entry = _checked(raw, seq, previous, faults)
        expected = seq + 1
        previous = entry.sha256 if entry else None
        if entry:
            entries.append(entry)
    return tuple(entries), tuple(sorted(faults, key=lambda fault: fault.seq))


def verify(store: Store, head: Head | None) -> tuple[Fault, ...]:
    """Given the newest entry this clone has known, return every fault, lowest sequence number first.

    Found are: an entry edited, missing, out of place or unreadable, a chain cut short of `head`, and a backup whose
    metadata in the store disagrees with its entry.
    """
    entries, faults = load(store)
    found = list(faults)
    by_seq = {entry.seq: entry for entry in entries}
    if head and (head.seq not in by_seq or by_seq[head.seq].sha256 != head.sha256):
        what = "is gone" if head.seq not in by_seq else "has been rewritten"
        found.append(Fault(head.seq, f"this clone knew this entry as {head.sha256[:12]}…; it {what}"))
    found.extend(
        Fault(entry.seq, message)
        for entry in entries
        if entry.event == "backup" and (message := _disagreement(store, entry))
    )
    return tuple(sorted(found, key=lambda fault: fault.seq))


def holds(store: Store, head: Head) -> bool:
    """Given the newest entry a clone has known, return whether the store still has exactly that one."""
    key = key_of(head.seq)
    if store.size(key) is None:
        return False
    with store.open(key) as stream:
        entry = _checked(stream.read(), head.seq, None, [])
    return entry is not None and entry.sha256 == head.sha256


def metadata_key(backup: Backup) -> str:
    """Given a backup, return the key of its own metadata, which stands beside its image."""
    return f"{backup.image.key}.json"


def encode_backup(backup: Backup) -> dict[str, Any]:
    """Given a backup, return it as plain JSON values, as metadata and ledger hold it."""
    encoded: dict[str, Any] = msgspec.to_builtins(backup)
    return encoded


def decode_backup(data: Any) -> Backup:
    """Given what `encode_backup` made, return the backup. Raise `LedgerError` if it is not one."""
    try:
        return msgspec.convert(data, Backup)
    except msgspec.ValidationError as error:
        raise LedgerError(
            "bad-backup-entry", f"a backup's metadata is not readable: {error}", "run `ics-guard ledger verify`"
        ) from error


def backups(entries: Iterable[Entry]) -> tuple[Backup, ...]:
    """Given the ledger, return every backup ever entered, oldest first. Raise `LedgerError` if one is not readable."""
    return tuple(decode_backup(entry.data["backup"]) for entry in entries if entry.event == "backup")


def records(entries: Iterable[Entry], store: Store | None) -> tuple[BackupRecord, ...]:
    """Given the ledger, return its backups, newest first, each with its newest drill.

    A backup is verified as long as its newest drill passed. With a store, `files_present` says whether every file
    is there in its recorded size; without one it is taken for granted.
    """
    found: dict[str, BackupRecord] = {}
    for entry in entries:
        if entry.event == "backup":
            backup = decode_backup(entry.data["backup"])
            found.setdefault(backup.id, BackupRecord(backup, None, None, None, True, entry.seq))
        elif entry.event == "drill" and entry.data["backup"] in found:
            known = found[entry.data["backup"]]
            passed = bool(entry.data["ok"]) and known.backup.kind is not BackupKind.SALVAGE
            found[known.backup.id] = replace(
                known,
                verified_at=entry.at if passed else None,
                drill_seconds=float(entry.data["seconds"]),
                drill_ok=bool(entry.data["ok"]),
            )
        elif entry.event == "prune":
            for backup_id in entry.data.get("removed", ()):
                found.pop(backup_id, None)
    newest_first = sorted(found.values(), key=lambda record: record.seq, reverse=True)
    if store is None:
        return tuple(newest_first)
    return tuple(replace(record, files_present=files_present(store, record.backup)) for record in newest_first)


def files_present(store: Store, backup: Backup) -> bool:
    """Given a backup, return whether each of its files is in the store in its recorded size."""
    return all(store.size(file.key) == file.stored_bytes for file in backup.files)


def _number(key: str) -> int | None:
    name = key.removeprefix(PREFIX).removesuffix(".json")
    return int(name) if name.isascii() and name.isdigit() and key == key_of(int(name)) else None


def _checked(raw: bytes, seq: int, previous: str | None, faults: list[Fault]) -> Entry | None:
    try:
        fields = json.loads(raw)
        entry = _entry(fields)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, msgspec.MsgspecError) as error:
        faults.append(Fault(seq, f"it is not a readable entry ({type(error).__name__})"))
        return None
    if digest(fields) != entry.sha256:
        faults.append(Fault(seq, "its content does not match its own hash: it was edited"))
    elif entry.seq != seq:
        faults.append(Fault(seq, f"it says it is entry {entry.seq}"))
    elif previous is not None and entry.prev != previous:
        faults.append(Fault(seq, "it does not follow from the entry before it"))
    return entry


def _entry(fields: Mapping[str, Any]) -> Entry:
    known = {name: value for name, value in fields.items() if name != "schema_version"}
    return msgspec.convert(known, Entry)


def _disagreement(store: Store, entry: Entry) -> str:
    backup = decode_backup(entry.data["backup"])
    if not backup.files:  # a salvage of a database that was not there
        return ""
    key = metadata_key(backup)
    if store.size(key) is None:
        return f"the backup's own metadata {store.describe(key)} is gone"
    with store.open(key) as stream:
        raw = stream.read()
    try:
        same = decode_backup(json.loads(raw)) == backup
    except (ValueError, LedgerError):
        same = False
    return "" if same else f"the backup's own metadata {store.describe(key)} says something else"
