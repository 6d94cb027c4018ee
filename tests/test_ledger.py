"""The ledger: chained, append-only, and honest about every edit."""

from __future__ import annotations

import itertools
import json
import multiprocessing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ics_guard import ledger
from ics_guard.errors import LedgerError
from ics_guard.model import Entry
from ics_guard.stores.local import LocalStore

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def add(store: LocalStore, number: int = 0) -> Entry:
    data = {"note": f"number {number}"}
    return ledger.append(store, at=AT, event="note", actor="me", env="local", source="db", data=data)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    store = LocalStore(tmp_path / "backups")
    for number in range(5):
        add(store, number)
    return store


def file_of(store: LocalStore, seq: int) -> Path:
    return Path(store.describe(ledger.key_of(seq)))


def test_entries_come_back_in_order_and_chained(store: LocalStore) -> None:
    entries = ledger.read(store)
    assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry.data["note"] for entry in entries] == [f"number {n}" for n in range(5)]
    assert entries[0].prev == ""
    assert all(later.prev == earlier.sha256 for earlier, later in itertools.pairwise(entries))
    assert entries[0].at == AT
    assert ledger.verify(store, ledger.Head(5, entries[-1].sha256)) == ()


def test_every_byte_of_every_entry_counts(store: LocalStore) -> None:
    for seq in range(1, 6):
        path = file_of(store, seq)
        raw = path.read_bytes()
        for offset in range(0, len(raw), 7):
            spoiled = bytearray(raw)
            spoiled[offset] ^= 1
            if json_or_none(bytes(spoiled)) == json.loads(raw):
                continue  # white space between fields holds nothing
            path.write_bytes(bytes(spoiled))
            faults = ledger.verify(store, None)
            assert faults, f"byte {offset} of entry {seq}"
            assert faults[0].seq == seq
        path.write_bytes(raw)
    assert ledger.verify(store, None) == ()


def json_or_none(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def test_a_removed_entry_is_named(store: LocalStore) -> None:
    file_of(store, 3).unlink()
    assert ledger.verify(store, None)[0].seq == 3
    with pytest.raises(LedgerError) as caught:
        ledger.read(store)
    assert "entry 3" in caught.value.message


def test_swapped_entries_are_found(store: LocalStore) -> None:
    second, third = file_of(store, 2), file_of(store, 3)
    a, b = second.read_bytes(), third.read_bytes()
    second.write_bytes(b)
    third.write_bytes(a)
    assert ledger.verify(store, None)[0].seq == 2


def test_an_entry_rewritten_with_its_hash_is_found_at_its_successor(store: LocalStore) -> None:
    path = file_of(store, 2)
    fields = json.loads(path.read_bytes())
    fields["data"] = {"note": "never happened"}
    fields["sha256"] = ledger.digest(fields)
    path.write_text(json.dumps(fields))
    assert ledger.verify(store, None)[0].seq == 3


def test_a_ledger_cut_short_is_found_by_the_head_that_this_clone_knew(store: LocalStore) -> None:
    head = ledger.read(store)[-1]
    file_of(store, 5).unlink()
    assert ledger.verify(store, None) == ()
    assert ledger.verify(store, ledger.Head(head.seq, head.sha256))[0].seq == 5


def test_a_ledger_rewritten_as_a_whole_is_found_by_the_head(store: LocalStore, tmp_path: Path) -> None:
    head = ledger.read(store)[-1]
    other = LocalStore(tmp_path / "other")
    for number in range(5):
        add(other, number + 100)
    assert ledger.verify(other, None) == ()
    assert ledger.verify(other, ledger.Head(head.seq, head.sha256))[0].seq == 5


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"\xff\xfe", b'{"seq": NaN}', b"[" * 5000])
def test_garbage_is_a_fault_and_no_crash(store: LocalStore, content: bytes) -> None:
    file_of(store, 4).write_bytes(content)
    assert ledger.verify(store, None)[0].seq == 4


def test_a_damaged_ledger_can_still_be_written_to(store: LocalStore) -> None:
    file_of(store, 5).write_bytes(b"")
    assert add(store).seq == 6
    assert ledger.verify(store, None)[0].seq == 5


def _append_many(root: Path, count: int) -> None:
    store = LocalStore(root)
    for number in range(count):
        add(store, number)


def test_many_processes_append_without_losing_or_forking(tmp_path: Path) -> None:
    root = tmp_path / "backups"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_append_many, args=(root, 10)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    store = LocalStore(root)
    assert [entry.seq for entry in ledger.read(store)] == list(range(1, 41))
    assert ledger.verify(store, None) == ()


def test_what_sits_in_the_place_of_the_next_entry_is_told_and_not_waited_for(store: LocalStore) -> None:
    file_of(store, 6).symlink_to("nowhere")
    with pytest.raises(LedgerError) as caught:
        add(store)
    assert caught.value.code == "ledger-blocked"
