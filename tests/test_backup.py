"""Backup and drill: verified means drilled, nothing is half made, and what cannot be backed up is refused clearly."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ics_guard import known, ledger
from ics_guard.backup import adopt, back_up
from ics_guard.drill import drill
from ics_guard.errors import BackupError, IcsGuardError, SourceError
from ics_guard.model import BackupKind, BackupRecord
from ics_guard.project import Project, open_project
from tests.support import (
    CONFIG,
    HOLDER,
    WRITER,
    ask,
    child,
    corrupt_page,
    dump,
    execute,
    git,
    ics_guard,
    leave_hot_journal,
    make_repository,
    on_a_disk,
    to_zstd,
    unzstd,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repo")


def take(root: Path, *, full: bool = False) -> tuple[Project, BackupRecord, bool]:
    project = open_project(root)
    (result,) = back_up(project, project.select(), full=full)
    return project, result.record, result.reused


def stored_file(project: Project, record: BackupRecord) -> Path:
    return Path(project.store.describe(record.backup.image.key))


def test_the_stored_file_is_a_plain_zstd_file_of_a_plain_database(root: Path, tmp_path: Path) -> None:
    project, record, _ = take(root)
    target = tmp_path / "by-hand.db"
    raw = stored_file(project, record).read_bytes()
    target.write_bytes(unzstd(raw))
    assert dump(target) == dump(root / "data" / "app.db")
    backup = record.backup
    assert hashlib.sha256(raw).hexdigest() == backup.image.sha256
    assert hashlib.sha256(target.read_bytes()).hexdigest() == backup.image.content_sha256
    assert backup.id.startswith("app_2")
    assert backup.image.key == f"sqlite/{backup.id}.db.zst"


def test_the_zstd_tool_and_sqlite_alone_bring_it_back(root: Path) -> None:
    """The README.txt in the store, followed by hand. The tool itself is a system package: CI must have it."""
    if not shutil.which("zstd") and "CI" not in os.environ:
        pytest.skip("the zstd command is not installed")
    project, record, _ = take(root)
    target = root / "by-hand.db"
    subprocess.run(["zstd", "-dq", str(stored_file(project, record)), "-o", str(target)], check=True)
    assert dump(target) == dump(root / "data" / "app.db")
    assert "zstd -d" in (root / "backups" / "README.txt").read_text()


def test_the_runbooks_six_items_are_in_the_ledger(root: Path) -> None:
    project, record, _ = take(root)
    entry, drilled = ledger.read(project.store)
    assert entry.at
    assert entry.env == "local"
    assert entry.data["backup"]["files"][0]["key"] == record.backup.image.key
    facts = entry.data["backup"]["facts"]
    assert facts["schema_sha256"]
    assert facts["rows"]["episodes"] == 200
    assert entry.data["backup"]["commit"] == git(root, "rev-parse", "HEAD").stdout.strip()
    assert entry.actor
    assert (drilled.event, drilled.data["ok"]) == ("drill", True)
    assert [check["name"] for check in drilled.data["checks"]] == ["stored", "size", "integrity", "contents"]


def test_nothing_changed_means_nothing_written(root: Path) -> None:
    project, first, reused = take(root)
    assert not reused
    entries = len(ledger.read(project.store))
    _, second, reused = take(root)
    assert reused
    assert second.backup.id == first.backup.id
    assert len(ledger.read(project.store)) == entries
    _, third, reused = take(root, full=True)
    assert not reused
    assert third.backup.id != first.backup.id


def test_a_commit_means_a_new_backup(root: Path) -> None:
    _, first, _ = take(root)
    execute(root / "data" / "app.db", "INSERT INTO episodes (title) VALUES ('new')")
    _, second, reused = take(root)
    assert not reused
    assert second.backup.id != first.backup.id


def test_two_backups_in_one_second_have_two_names(root: Path) -> None:
    names = {take(root, full=True)[1].backup.id for _ in range(4)}
    assert len(names) == 4


def test_beside_a_writer_the_backup_is_of_one_instant_and_not_called_current(root: Path) -> None:
    with child(WRITER, root / "data" / "app.db"):
        time.sleep(0.1)
        project, record, _ = take(root)
        assert record.verified_at
        time.sleep(0.1)
        _, again, reused = take(root)
    assert not reused
    assert again.backup.facts
    assert record.backup.facts
    assert again.backup.facts.rows["episodes"] > record.backup.facts.rows["episodes"]
    assert drill(project, record).ok


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda live: live.unlink(), "source-missing"),
        (lambda live: live.write_bytes(b""), "source-empty"),
        (lambda live: live.write_bytes(b"not a database at all" * 50), "not-a-database"),
        (lambda live: (live.unlink(), live.mkdir()), "not-a-file"),
    ],
)
def test_what_is_no_database_gives_a_clear_error_and_no_file(root: Path, spoil, code: str) -> None:  # type: ignore[no-untyped-def]
    spoil(root / "data" / "app.db")
    with pytest.raises(SourceError) as caught:
        take(root)
    assert caught.value.code == code
    assert caught.value.exit_code == 3
    assert caught.value.fix
    assert not list((root / "backups").rglob("*.zst*"))
    done = ics_guard(root, "backup", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["code"] == code


@pytest.mark.parametrize("name", ["app.db", "app.db-wal", "app.db-shm"])
def test_a_database_tracked_by_git_is_refused(root: Path, name: str) -> None:
    (root / "data" / name).touch()
    git(root, "add", "-f", f"data/{name}")
    with pytest.raises(SourceError) as caught:
        take(root)
    assert caught.value.code == "source-tracked"
    subprocess.run(["sh", "-ec", caught.value.fix], cwd=root, check=True, capture_output=True)
    assert take(root)[1].verified_at


def test_a_damaged_database_is_never_verified_and_the_runbooks_questions_are_answered(root: Path) -> None:
    corrupt_page(root / "data" / "app.db")
    done = ics_guard(root, "backup")
    assert done.returncode == 3
    assert "retrying at once" in done.stderr
    assert "itself damaged" in done.stderr
    assert "ics-guard restore latest" in done.stderr
    assert ledger.read(open_project(root).store) == ()
    assert not list((root / "backups").rglob("*.zst"))


def test_a_hot_journal_is_salvaged_rolled_back_and_recorded(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo", wal=False, rows=3000)
    live = root / "data" / "app.db"
    before = dump(live)
    leave_hot_journal(live)
    project, record, _ = take(root)
    assert record.verified_at
    assert dump(live) == before
    events = [entry.event for entry in ledger.read(project.store)]
    assert events == ["backup", "recovered", "backup", "drill"]
    salvaged = ledger.records(ledger.read(project.store), project.store)[-1]
    assert salvaged.backup.kind is BackupKind.SALVAGE
    assert salvaged.verified_at is None


def test_a_hot_journal_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo", wal=False, rows=3000)
    live = root / "data" / "app.db"
    before = dump(live)
    with child(HOLDER, live) as holder:
        ask(holder, "PRAGMA cache_size=1")
        ask(holder, "BEGIN IMMEDIATE")
        ask(holder, "UPDATE segments SET text = 'half done ' || text")
        done = ics_guard(root, "backup")
        assert done.returncode == 3
        assert str(holder.pid) in done.stderr
        ask(holder, "ROLLBACK")
    assert dump(live) == before


def test_a_flipped_bit_in_the_store_fails_the_drill_and_takes_the_word_verified_away(root: Path) -> None:
    project, record, _ = take(root)
    path = stored_file(project, record)
    raw = path.read_bytes()
    for offset in range(0, len(raw), max(1, len(raw) // 25)):
        spoiled = bytearray(raw)
        spoiled[offset] ^= 0x10
        path.write_bytes(bytes(spoiled))
        assert not drill(project, record).ok, f"byte {offset}"
    assert ledger.records(ledger.read(project.store), project.store)[0].verified_at is None
    path.write_bytes(raw)
    assert drill(project, record).ok
    assert ledger.records(ledger.read(project.store), project.store)[0].verified_at


@pytest.mark.parametrize("change", ["truncated", "appended", "gone", "bomb"])
def test_other_damage_in_the_store_fails_the_drill(root: Path, change: str) -> None:
    project, record, _ = take(root)
    path = stored_file(project, record)
    raw = path.read_bytes()
    if change == "gone":
        path.unlink()
    else:
        bomb = to_zstd(bytes(64 << 20))
        path.write_bytes({"truncated": raw[:-10], "appended": raw + b"x", "bomb": bomb}[change])
    result = drill(project, record)
    assert not result.ok
    assert ics_guard(root, "drill").returncode == 3


def test_a_lost_row_in_an_image_that_is_otherwise_whole_fails_the_drill(root: Path) -> None:
    """The ledger says 200 rows; the stored database was exchanged for one with 199, hashes made to fit."""
    project, record, _ = take(root)
    path = stored_file(project, record)
    other = root / "other.db"
    other.write_bytes(unzstd(path.read_bytes()))
    execute(other, "PRAGMA journal_mode=DELETE", "DELETE FROM segments WHERE id = 7")
    content, packed = other.read_bytes(), to_zstd(other.read_bytes())
    path.write_bytes(packed)
    file = replace(
        record.backup.image,
        sha256=hashlib.sha256(packed).hexdigest(),
        stored_bytes=len(packed),
        content_sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
    )
    result = drill(project, replace(record, backup=replace(record.backup, files=(file,))))
    assert [check.name for check in result.checks if not check.ok] == ["contents"]
    assert any("segments: 199 instead of 200" in check.detail for check in result.checks)


def test_a_kill_at_any_moment_leaves_nothing_that_looks_like_a_backup(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo", rows=4000)
    command = [sys.executable, "-P", "-m", "ics_guard", "backup", "--full"]
    began = time.monotonic()
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    whole = time.monotonic() - began
    for number in range(10):
        with subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(whole * (0.3 + 0.65 * number / 10))
            process.send_signal(signal.SIGKILL)
    project, _, _ = take(root, full=True)
    assert list((root / ".git" / "ics-guard" / "scratch").iterdir()) == []
    assert list((root / "backups" / ".incoming").iterdir()) == []
    records = ledger.records(ledger.read(project.store), project.store)
    assert all(drill(project, record).ok for record in records)
    images = {path.name for path in (root / "backups" / "sqlite").glob("*.zst")}
    described = {path.name.removesuffix(".json") for path in (root / "backups" / "sqlite").glob("*.json")}
    assert images <= described
    assert ledger.verify(project.store, None) == ()


def test_what_a_kill_left_between_store_and_ledger_is_entered_by_the_next_backup(root: Path) -> None:
    project, record, _ = take(root)
    for path in (root / "backups" / "ledger").iterdir():
        path.unlink()
    sidecar = stored_file(project, record).with_name(f"{record.backup.id}.db.zst.json")
    document = json.loads(sidecar.read_text())
    document["imaged_at"] = "2026-01-01T00:00:00Z"
    sidecar.chmod(0o600)
    sidecar.write_text(json.dumps(document))
    adopt(project)
    (entry,) = ledger.read(project.store)
    assert entry.data["adopted"]
    (found,) = ledger.records([entry], project.store)
    assert found.verified_at is None
    assert drill(project, found).ok


def test_a_full_store_says_so_and_leaves_nothing(root: Path) -> None:
    execute(root / "data" / "app.db", *["INSERT INTO episodes (title) VALUES (hex(randomblob(9000)))"] * 20)
    done = on_a_disk(root / "backups", "size=64k", sys.executable, "-P", "-m", "ics_guard", "backup")
    assert done.returncode == 3
    assert "is full" in done.stderr
    assert "free some space" in done.stderr
    assert ".incoming" in done.stdout
    assert "app_" not in done.stdout


def test_a_store_that_cannot_be_written_says_so(root: Path) -> None:
    (root / "backups").write_text("a file where the store should be")
    done = ics_guard(root, "backup")
    assert done.returncode == 3
    assert "backups" in done.stderr
    assert "do:" in done.stderr


def test_a_read_only_store_says_so(root: Path) -> None:
    done = on_a_disk(root / "backups", "ro", sys.executable, "-P", "-m", "ics_guard", "backup")
    assert done.returncode == 3
    assert "no permission" in done.stderr
    assert str(root / "backups") in done.stderr


def test_a_missing_collation_is_named_and_can_be_excused(root: Path) -> None:
    import sqlite3  # noqa: PLC0415
    from contextlib import closing  # noqa: PLC0415

    with closing(sqlite3.connect(root / "data" / "app.db")) as connection:
        connection.create_collation("house", lambda a, b: (a > b) - (a < b))
        connection.execute("CREATE TABLE people (name TEXT COLLATE house)")
        connection.execute("CREATE INDEX by_name ON people(name)")
        connection.execute("INSERT INTO people VALUES ('b'), ('a')")
        connection.commit()
    done = ics_guard(root, "backup")
    assert done.returncode == 3
    assert "house" in done.stderr
    (root / "ics-guard.toml").write_text(CONFIG + 'unchecked = ["people"]\n')
    assert ics_guard(root, "backup").returncode == 0


def test_what_is_known_outlives_git_clean(root: Path) -> None:
    take(root)
    git(root, "clean", "-xfdq")
    assert not (root / "data").exists()
    assert not (root / "backups").exists()
    project = open_project(root)
    memory = known.load(project.repository.common_dir)
    source = memory.source("local", "db")
    assert source
    assert source.seen_at
    head = memory.head("local")
    assert head
    assert head.seq == 2
    faults = ledger.verify(project.store, ledger.Head(head.seq, head.sha256))
    assert [fault.seq for fault in faults] == [2]
    assert ics_guard(root, "ledger", "verify").returncode == 3


def test_an_unknown_source_is_named(root: Path) -> None:
    done = ics_guard(root, "backup", "nonsense")
    assert done.returncode == 2
    assert "db" in done.stderr


def test_a_backup_of_several_sources_is_one_set(tmp_path: Path) -> None:
    config = CONFIG + '[env.local.sources.other]\nkind = "sqlite"\npath = "data/other.db"\n'
    root = make_repository(tmp_path / "repo", config=config)
    shutil.copy(root / "data" / "app.db", root / "data" / "other.db")
    done = ics_guard(root, "backup", "--json")
    document = json.loads(done.stdout)
    assert len({backup["set"] for backup in document["backups"]}) == 1
    assert {backup["source"] for backup in document["backups"]} == {"db", "other"}
    fields = {"id", "set", "source", "env", "location", "bytes", "stored_bytes", "sha256", "verified", "verified_at"}
    assert fields | {"drill_seconds", "seconds", "reused"} <= set(document["backups"][0])


def test_interrupting_leaves_nothing_and_says_130(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo", wal=False)
    with child(HOLDER, root / "data" / "app.db") as holder:
        ask(holder, "BEGIN EXCLUSIVE")
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ics_guard", "backup"], cwd=root, stderr=subprocess.PIPE, text=True
        )
        with process:
            time.sleep(1.5)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=20)
        assert process.returncode == 130
        assert "interrupted" in said
    assert not list((root / "backups").rglob("*.zst*"))
    assert list((root / ".git" / "ics-guard" / "scratch").iterdir()) == []


def test_long_work_is_never_silent(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo", wal=False)
    with child(HOLDER, root / "data" / "app.db") as holder:
        ask(holder, "BEGIN EXCLUSIVE")
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ics_guard", "backup"], cwd=root, stderr=subprocess.PIPE, text=True
        )
        with process:
            time.sleep(2.5)
            ask(holder, "COMMIT")
            _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "imaging db" in said


def test_every_error_is_known(root: Path) -> None:
    assert issubclass(BackupError, IcsGuardError)
    (root / "ics-guard.toml").write_text("version = 1\n[env.local]\nstore = ")
    done = ics_guard(root, "backup")
    assert done.returncode == 2
    assert "ics-guard.toml" in done.stderr


@pytest.mark.parametrize("content", [b"", b"{}", b"[]"])
def test_a_stray_file_in_the_store_keeps_nobody_from_backing_up(root: Path, content: bytes) -> None:
    take(root)
    (root / "backups" / "sqlite" / "notes.json").write_bytes(content)
    assert ics_guard(root, "backup", "--full").returncode == 0


def test_backups_begun_in_the_same_second_all_succeed(root: Path) -> None:
    command = [sys.executable, "-P", "-m", "ics_guard", "backup", "--full"]
    all_of_them = [subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL) for _ in range(4)]
    assert [process.wait() for process in all_of_them] == [0] * 4


def test_a_schema_in_another_encoding_is_backed_up(root: Path) -> None:
    execute(
        root / "data" / "app.db",
        "CREATE TABLE old (a)",
        "PRAGMA writable_schema=ON",
        "UPDATE sqlite_master SET sql = CAST(CAST('CREATE TABLE old (a /* caf' AS BLOB) || x'e9' || ' */)' AS TEXT)"
        " WHERE name = 'old'",
    )
    assert take(root)[1].verified_at


def test_what_an_interrupted_publication_left_is_removed_after_an_hour(root: Path) -> None:
    project, record, _ = take(root)
    sidecar = stored_file(project, record).with_name(f"{record.backup.id}.db.zst.json")
    document = json.loads(sidecar.read_text())
    half = {**document["files"][0], "key": "sqlite/half.db.zst"}
    lost = {**half, "key": "sqlite/half.db-wal.zst"}
    files = [half, lost, document["files"][0], {**half, "key": "ledger/00000001.json"}]
    orphan = {**document, "id": "half", "files": files, "imaged_at": "2026-01-01T00:00:00Z"}
    sidecar.with_name("half.db.zst").write_bytes(b"half")
    sidecar.with_name("half.db.zst.json").write_text(json.dumps(orphan))
    adopt(project)
    assert {path.name for path in sidecar.parent.iterdir()} == {f"{record.backup.id}.db.zst", sidecar.name}
    assert len(ledger.read(project.store)) == 2


def test_another_image_in_a_stored_file_that_is_as_recorded_fails_the_drill(root: Path) -> None:
    """Whoever rewrites store and metadata together still has to find an image with the hash of the one imaged."""
    project, record, _ = take(root)
    file = replace(record.backup.image, content_sha256="0" * 64)
    result = drill(project, replace(record, backup=replace(record.backup, files=(file,))))
    assert [(check.name, check.ok) for check in result.checks] == [("stored", False)]
