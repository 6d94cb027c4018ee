from __future__ import annotations

import json
import multiprocessing
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ics_guard import known
from ics_guard.errors import LedgerError, StoreError
from ics_guard.known import Known, KnownHead


def file_of(common_dir: Path) -> Path:
    return common_dir / "ics-guard" / "known.json"


def test_a_clone_that_never_wrote_anything_down_knows_nothing(tmp_path: Path) -> None:
    assert known.load(tmp_path) == Known()
    assert known.load(tmp_path).source("local", "db") is None
    assert known.load(tmp_path).head("local") is None
    assert list(tmp_path.iterdir()) == []


def test_a_source_is_remembered_with_when_and_where(tmp_path: Path) -> None:
    known.remember_source(tmp_path, "local", "db", Path("/data/app.db"))
    met = known.load(tmp_path).source("local", "db")
    assert met is not None
    assert met.seen_at is not None
    assert abs(datetime.now(UTC) - met.seen_at) < timedelta(minutes=1)
    assert (met.path, met.declared_empty) == ("/data/app.db", False)
    assert known.load(tmp_path).source("prod", "db") is None


def test_a_path_that_is_no_text_is_remembered(tmp_path: Path) -> None:
    known.remember_source(tmp_path, "local", "db", os.fsdecode(b"/data/\xff.db"))
    met = known.load(tmp_path).source("local", "db")
    assert met is not None
    assert met.path is not None
    assert os.fsencode(met.path) == b"/data/\xff.db"


def test_a_source_declared_empty_is_so_until_data_is_seen(tmp_path: Path) -> None:
    known.declare_empty(tmp_path, "local", "db")
    met = known.load(tmp_path).source("local", "db")
    assert met is not None
    assert (met.seen_at, met.declared_empty) == (None, True)
    known.remember_source(tmp_path, "local", "db", "app.db")
    met = known.load(tmp_path).source("local", "db")
    assert met is not None
    assert met.seen_at is not None
    assert not met.declared_empty


def test_declaring_a_source_empty_does_not_forget_that_data_was_seen(tmp_path: Path) -> None:
    known.remember_source(tmp_path, "local", "db", "app.db")
    known.declare_empty(tmp_path, "local", "db")
    met = known.load(tmp_path).source("local", "db")
    assert met is not None
    assert (met.seen_at is not None, met.path, met.declared_empty) == (True, "app.db", True)


def test_an_older_head_of_the_same_store_does_not_replace_a_newer_one(tmp_path: Path) -> None:
    known.remember_head(tmp_path, "local", 5, "e" * 64, "/store")
    known.remember_head(tmp_path, "local", 4, "d" * 64, "/store")
    assert known.load(tmp_path).head("local") == KnownHead(5, "e" * 64, "/store")
    known.remember_head(tmp_path, "local", 6, "f" * 64, "/store")
    known.remember_head(tmp_path, "prod", 1, "a" * 64, "/store")
    assert known.load(tmp_path).head("local") == KnownHead(6, "f" * 64, "/store")
    known.remember_head(tmp_path, "local", 1, "b" * 64, "/other")
    assert known.load(tmp_path).head("local") == KnownHead(1, "b" * 64, "/other")
    assert known.load(tmp_path).head("prod") == KnownHead(1, "a" * 64, "/store")


def test_the_file_is_private_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    known.declare_empty(tmp_path, "local", "db")
    assert stat.S_IMODE(file_of(tmp_path).stat().st_mode) == 0o600
    assert stat.S_IMODE(file_of(tmp_path).parent.stat().st_mode) == 0o700
    assert sorted(path.name for path in file_of(tmp_path).parent.iterdir()) == ["known.json", "known.json.lock"]


def test_what_a_kill_left_behind_is_overwritten(tmp_path: Path) -> None:
    known.declare_empty(tmp_path, "local", "a")
    file_of(tmp_path).with_name("known.json.new").write_text('{"half": ')
    assert known.load(tmp_path).source("local", "a") is not None
    known.declare_empty(tmp_path, "local", "b")
    assert set(known.load(tmp_path).sources) == {"local/a", "local/b"}
    assert not file_of(tmp_path).with_name("known.json.new").exists()


GOOD = {"schema_version": 1, "sources": {}, "heads": {}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        json.dumps(GOOD | {"schema_version": 2}).encode(),
        json.dumps(GOOD | {"sources": []}).encode(),
        json.dumps(
            GOOD | {"sources": {"a/b": {"seen_at": "yesterday", "path": None, "declared_empty": False}}}
        ).encode(),
        json.dumps(GOOD | {"sources": {"a/b": {"seen_at": None, "path": 1, "declared_empty": False}}}).encode(),
        json.dumps(GOOD | {"sources": {"a/b": {"seen_at": None, "path": None, "declared_empty": "no"}}}).encode(),
        json.dumps(GOOD | {"heads": {"a": {"seq": 1, "sha256": "x"}}}).encode(),
        json.dumps(GOOD | {"heads": {"a": {"seq": "x", "sha256": "x", "store": "x"}}}).encode(),
    ],
)
def test_a_damaged_file_is_an_error_and_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    file_of(tmp_path).parent.mkdir()
    file_of(tmp_path).write_bytes(content)
    for act in (lambda: known.load(tmp_path), lambda: known.remember_source(tmp_path, "local", "db", "x")):
        with pytest.raises(LedgerError) as caught:
            act()
        assert caught.value.code == "known-damaged"
        assert str(file_of(tmp_path)) in caught.value.message
        assert "ics-guard init" in caught.value.fix
    assert file_of(tmp_path).read_bytes() == content


def test_an_unreadable_file_is_not_the_same_as_none(tmp_path: Path) -> None:
    file_of(tmp_path).mkdir(parents=True)
    with pytest.raises(LedgerError) as caught:
        known.load(tmp_path)
    assert caught.value.code == "known-unreadable"


def test_a_place_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "ics-guard").write_text("a file where the folder should be")
    with pytest.raises(StoreError) as caught:
        known.remember_source(tmp_path, "local", "db", "x")
    assert caught.value.code == "known-unwritable"
    assert caught.value.fix


def _remember_many(common_dir: Path, worker: int) -> None:
    for number in range(10):
        known.declare_empty(common_dir, f"env{worker}", f"source{number}")


def test_processes_at_once_lose_no_update_of_each_other(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_remember_many, args=(tmp_path, number)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert len(known.load(tmp_path).sources) == 40
