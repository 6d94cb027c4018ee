"""Imaging a live SQLite database: single instant, beside writers, never of something that is no database."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from ics_guard.errors import SourceError
from ics_guard.sources.sqlite import rawfile
from ics_guard.sources.sqlite.checks import check_image, integrity_errors
from ics_guard.sources.sqlite.facts import read_facts
from ics_guard.sources.sqlite.holders import find_holders
from ics_guard.sources.sqlite.image import take_image
from tests.support import (
    HOLDER,
    WRITER,
    ask,
    child,
    corrupt_header,
    corrupt_page,
    dump,
    execute,
    leave_hot_journal,
    make_database,
    query,
)

MODES = pytest.mark.parametrize("wal", [True, False], ids=["wal", "rollback"])


@MODES
def test_an_image_holds_what_the_database_held(tmp_path: Path, wal: bool) -> None:
    live = make_database(tmp_path / "live.db", wal=wal)
    take_image(live, tmp_path / "image.db")
    assert dump(tmp_path / "image.db") == dump(live)


def test_commits_that_are_only_in_the_wal_are_in_the_image(tmp_path: Path) -> None:
    live = make_database(tmp_path / "live.db")
    with child(HOLDER, live) as holder:
        ask(holder, "PRAGMA wal_autocheckpoint=0")
        ask(holder, "INSERT INTO episodes (title) VALUES ('only in the wal')")
        take_image(live, tmp_path / "image.db")
    assert query(tmp_path / "image.db", "SELECT count(*) FROM episodes WHERE title = 'only in the wal'") == [(1,)]


@MODES
def test_an_image_beside_a_busy_writer_is_one_instant(tmp_path: Path, wal: bool) -> None:
    live = make_database(tmp_path / "live.db", wal=wal, rows=2000)
    with child(WRITER, live):
        for number in range(5):
            image = tmp_path / f"image{number}.db"
            began = time.monotonic()
            take_image(live, image)
            assert time.monotonic() - began < 20
            assert integrity_errors(image) == ()
            ids = [row[0] for row in query(image, "SELECT id FROM episodes ORDER BY id")]
            assert ids == list(range(1, len(ids) + 1))
    assert len(ids) > 2000


def test_imaging_changes_neither_the_file_nor_its_fingerprint(tmp_path: Path) -> None:
    live = make_database(tmp_path / "live.db")
    rawfile.settle()
    before, state = rawfile.fingerprint(live), live.stat()
    assert before
    take_image(live, tmp_path / "image.db")
    assert rawfile.fingerprint(live) == before
    assert (live.stat().st_mtime_ns, live.stat().st_size) == (state.st_mtime_ns, state.st_size)


def test_a_writer_that_keeps_the_lock_is_named_after_the_deadline(tmp_path: Path) -> None:
    live = make_database(tmp_path / "live.db", wal=False)
    with child(HOLDER, live) as holder:
        ask(holder, "BEGIN EXCLUSIVE")
        with pytest.raises(SourceError) as caught:
            take_image(live, tmp_path / "image.db", deadline=0.3)
        assert caught.value.code == "source-locked"
        assert f"pid {holder.pid}" in caught.value.message


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "source-missing"),
        (b"", "source-empty"),
        (b"certainly not a database, and long enough to have a header" * 4, "not-a-database"),
        (b"SQLite format 3\0", "not-a-database"),
    ],
)
def test_what_is_no_database_is_refused_and_nothing_is_created(
    tmp_path: Path, content: bytes | None, code: str
) -> None:
    live = tmp_path / "live.db"
    if content is not None:
        live.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        take_image(live, tmp_path / "image.db")
    assert caught.value.code == code
    assert caught.value.fix
    assert sorted(path.name for path in tmp_path.iterdir()) == ([] if content is None else ["live.db"])


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        take_image(tmp_path, tmp_path / "image.db")
    assert caught.value.code == "not-a-file"


def test_a_hot_journal_is_not_imaged_silently(tmp_path: Path) -> None:
    live = make_database(tmp_path / "live.db", wal=False, rows=2000)
    leave_hot_journal(live)
    with pytest.raises(SourceError) as caught:
        take_image(live, tmp_path / "image.db")
    assert caught.value.code == "hot-journal"


def test_a_broken_header_is_refused(tmp_path: Path) -> None:
    live = make_database(tmp_path / "live.db")
    corrupt_header(live)
    with pytest.raises(SourceError) as caught:
        take_image(live, tmp_path / "image.db")
    assert caught.value.code == "not-a-database"


@MODES
def test_the_fingerprint_moves_with_every_commit(tmp_path: Path, wal: bool) -> None:
    live = make_database(tmp_path / "live.db", wal=wal)
    with child(HOLDER, live) as holder:
        seen = set()
        for number in range(20):
            ask(holder, f"UPDATE episodes SET duration = {number} WHERE id = 1")
            rawfile.settle()
            mark = rawfile.fingerprint(live)
            assert mark
            assert mark not in seen
            seen.add(mark)


def test_a_commit_into_a_reused_wal_moves_the_fingerprint(tmp_path: Path) -> None:
    """After a checkpoint SQLite writes the WAL from its start again: same size, same inode."""
    live = make_database(tmp_path / "live.db")
    with child(HOLDER, live) as holder:
        ask(holder, "UPDATE episodes SET duration = 1 WHERE id = 1")
        ask(holder, "PRAGMA wal_checkpoint(RESTART)")
        ask(holder, "UPDATE episodes SET duration = 2 WHERE id = 1")
        rawfile.settle()
        before = rawfile.fingerprint(live)
        ask(holder, "PRAGMA wal_checkpoint(RESTART)")
        ask(holder, "UPDATE episodes SET duration = 3 WHERE id = 1")
        rawfile.settle()
        assert rawfile.fingerprint(live) != before


def test_opening_a_wal_that_somebody_holds_moves_no_fingerprint(tmp_path: Path) -> None:
    """SQLite run by root, as in a container, chowns the WAL at each opening: nothing was written."""
    live = make_database(tmp_path / "live.db")
    with child(HOLDER, live) as holder:
        ask(holder, "INSERT INTO episodes (title) VALUES ('only in the wal')")
        rawfile.settle()
        before = rawfile.fingerprint(live)
        assert before
        wal = rawfile.companion(live, rawfile.WAL)
        os.chown(wal, os.getuid(), os.getgid())
        take_image(live, tmp_path / "image.db")
        rawfile.settle()
        assert rawfile.fingerprint(live) == before


def test_a_file_written_this_instant_has_no_fingerprint(tmp_path: Path) -> None:
    live = make_database(tmp_path / "live.db", wal=False)
    live.touch()
    assert rawfile.fingerprint(live) == ""


def test_an_absent_file_has_no_fingerprint(tmp_path: Path) -> None:
    assert rawfile.fingerprint(tmp_path / "absent.db") == ""


def test_holders_are_found_in_both_modes_and_named_without_secrets(tmp_path: Path) -> None:
    for wal in (True, False):
        live = make_database(tmp_path / f"live-{wal}.db", wal=wal)
        assert find_holders(live) == ()
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(live), "--password=hunter2"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            (found,) = find_holders(live)
            assert found.pid == process.pid
            assert "python" in found.command
            assert "hunter2" not in found.command
            assert found.since is not None
            process.kill()


def test_a_holder_that_opened_it_by_another_path_is_found(tmp_path: Path) -> None:
    live = make_database(tmp_path / "live.db", wal=False)
    other = tmp_path / "elsewhere" / "same.db"
    other.parent.mkdir()
    other.hardlink_to(live)
    with child(HOLDER, other) as holder:
        assert [found.pid for found in find_holders(live)] == [holder.pid]


def test_raw_reads_in_a_child_keep_the_locks_of_this_process(tmp_path: Path) -> None:
    """The hazard: open(db).close() here would drop the lock, and the second writer would get in."""
    live = make_database(tmp_path / "live.db", wal=False)
    with closing(sqlite3.connect(live, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert rawfile.change_counter_elsewhere(live) > 0
        assert rawfile.copy_elsewhere(live, tmp_path / "copy.db")
        program = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('DELETE FROM episodes')"
        done = subprocess.run([sys.executable, "-c", program, str(live)], check=False, capture_output=True, text=True)
        assert "database is locked" in done.stderr


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM segments WHERE id = 5",
        "DROP INDEX idx_segments_episode",
        "ALTER TABLE episodes ADD COLUMN extra",
        "PRAGMA user_version = 7",
        "UPDATE segments SET episode_id = 999999 WHERE id = 3",
    ],
)
def test_a_check_finds_what_integrity_check_misses(tmp_path: Path, damage: str) -> None:
    image = tmp_path / "image.db"
    take_image(make_database(tmp_path / "live.db", wal=False), image)
    facts = read_facts(image)
    assert all(check.ok for check in check_image(image, facts))
    execute(image, damage)
    assert not all(check.ok for check in check_image(image, facts))


@pytest.mark.parametrize("spoil", ["empty", "truncated", "appended", "page"])
def test_a_check_finds_damaged_files(tmp_path: Path, spoil: str) -> None:
    image = make_database(tmp_path / "image.db", wal=False)
    facts = read_facts(image)
    if spoil == "page":
        corrupt_page(image)
    else:
        raw = image.read_bytes()
        image.write_bytes({"empty": b"", "truncated": raw[:-1000], "appended": raw + bytes(4096)}[spoil])
    assert not all(check.ok for check in check_image(image, facts))


def test_foreign_keys_that_are_broken_live_are_recorded_and_do_not_fail(tmp_path: Path) -> None:
    live = make_database(tmp_path / "live.db")
    execute(live, "UPDATE segments SET episode_id = 999999 WHERE id < 4")
    take_image(live, tmp_path / "image.db")
    facts = read_facts(tmp_path / "image.db")
    assert facts.foreign_key_violations == 3
    checks = check_image(tmp_path / "image.db", facts)
    assert all(check.ok for check in checks)
    assert any("3 broken foreign keys" in check.detail for check in checks)


def test_a_missing_collation_is_named_and_can_be_excused(tmp_path: Path) -> None:
    live = tmp_path / "live.db"
    with closing(sqlite3.connect(live)) as connection:
        connection.create_collation("house", lambda a, b: (a > b) - (a < b))
        connection.execute("CREATE TABLE people (name TEXT COLLATE house)")
        connection.execute("CREATE INDEX by_name ON people(name)")
        connection.execute("CREATE TABLE other (x)")
        connection.execute("INSERT INTO people VALUES ('b'), ('a')")
        connection.commit()
    image = tmp_path / "image.db"
    take_image(live, image)
    failed = [check for check in check_image(image, read_facts(image)) if not check.ok]
    assert failed
    assert any("house" in check.detail for check in failed)
    excused = check_image(image, read_facts(image, ["people"]), ["people"])
    assert all(check.ok for check in excused)
    assert any("people" in check.detail for check in excused)
