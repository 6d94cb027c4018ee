"""Coming back: every state a database can be in on a bad day, with real files and real second processes."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ics_guard import ledger
from ics_guard.errors import RestoreError, RevertError, UsageError
from ics_guard.model import BackupKind, BackupRecord
from ics_guard.plan import choose, make_plan
from ics_guard.project import Project, open_project
from ics_guard.report.texts import schema_text
from ics_guard.restore import Outcome, execute
from ics_guard.sources.sqlite.facts import opened
from tests.support import (
    CONFIG,
    HOLDER,
    WRITER,
    ask,
    child,
    corrupt_header,
    corrupt_page,
    dump,
    git,
    ics_guard,
    leave_hot_journal,
    make_database,
    make_repository,
    on_a_disk,
    query,
)
from tests.support import (
    execute as sql,
)

MODES = pytest.mark.parametrize("wal", [True, False], ids=["wal", "rollback"])


class Site:
    """A repository whose database has one verified backup, and was changed since."""

    def __init__(self, root: Path, *, wal: bool = True, config: str = CONFIG, rows: int = 200) -> None:
        self.root = make_repository(root, wal=wal, config=config, rows=rows)
        self.live = self.root / "data" / "app.db"
        assert ics_guard(self.root, "backup").returncode == 0
        self.backed_up = dump(self.live)
        sql(
            self.live, "DELETE FROM segments WHERE id > 50", "DROP INDEX idx_segments_episode", "CREATE TABLE later (x)"
        )
        self.changed = dump(self.live)
        assert self.changed != self.backed_up

    @property
    def project(self) -> Project:
        return open_project(self.root)

    def restore(self, which: str = "latest") -> Outcome:
        project = self.project
        source, record, why = choose(project, which)
        return execute(project, make_plan(project, source, record, why))

    def records(self, kind: BackupKind) -> list[BackupRecord]:
        project = self.project
        found = ledger.records(ledger.read(project.store), project.store)
        return [record for record in found if record.backup.kind is kind]

    def nothing_is_left_over(self) -> None:
        assert [p.name for p in (self.root / "data").iterdir() if "ics-guard" in p.name] == []
        assert list((self.root / ".git" / "ics-guard" / "scratch").iterdir()) == []
        assert list((self.root / "backups" / ".incoming").iterdir()) == []


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "repo")


@MODES
def test_the_data_is_back_and_what_was_there_can_be_had_again(tmp_path: Path, wal: bool) -> None:
    site = Site(tmp_path / "repo", wal=wal)
    outcome = site.restore()
    assert outcome.outcome == "restored"
    assert dump(site.live) == site.backed_up
    assert query(site.live, "PRAGMA journal_mode") == [("wal" if wal else "delete",)]
    assert outcome.safety
    assert outcome.safety.kind is BackupKind.SAFETY
    site.restore(outcome.safety.id)
    assert dump(site.live) == site.changed
    site.nothing_is_left_over()


def test_a_backup_of_the_other_journal_mode_keeps_the_mode_of_the_live_database(tmp_path: Path) -> None:
    site = Site(tmp_path / "repo", wal=True)
    with child(HOLDER, site.live) as holder:
        ask(holder, "PRAGMA journal_mode=DELETE")
    site.restore()
    assert query(site.live, "PRAGMA journal_mode") == [("delete",)]
    assert dump(site.live) == site.backed_up


def test_a_stale_wal_beside_the_database_does_not_undo_the_restore(site: Site) -> None:
    """Somebody copied an old file in by hand and left the -wal of the newer one beside it."""
    with child(HOLDER, site.live) as holder:
        ask(holder, "PRAGMA wal_autocheckpoint=0")
        ask(holder, "UPDATE episodes SET title = 'from the wal'")
        wal = site.live.with_name("app.db-wal").read_bytes()
        old = site.live.read_bytes()
        holder.kill()
        holder.wait()
    site.live.write_bytes(old)
    site.live.with_name("app.db-wal").write_bytes(wal)
    site.restore()
    assert dump(site.live) == site.backed_up


def test_a_stale_wal_beside_a_broken_database_does_not_undo_the_restore(site: Site) -> None:
    with child(HOLDER, site.live) as holder:
        ask(holder, "PRAGMA wal_autocheckpoint=0")
        ask(holder, "UPDATE episodes SET title = 'from the wal'")
        wal = site.live.with_name("app.db-wal").read_bytes()
        holder.kill()
        holder.wait()
    corrupt_header(site.live)
    site.live.with_name("app.db-wal").write_bytes(wal)
    site.restore()
    assert dump(site.live) == site.backed_up
    (kept,) = site.records(BackupKind.SALVAGE)
    assert [file.role for file in kept.backup.files] == ["main", "wal"]


@MODES
def test_a_corrupt_page_is_restored_over_and_its_bytes_are_kept(tmp_path: Path, wal: bool) -> None:
    site = Site(tmp_path / "repo", wal=wal)
    corrupt_page(site.live)
    damaged = site.live.read_bytes()
    outcome = site.restore()
    assert outcome.outcome == "restored"
    assert dump(site.live) == site.backed_up
    (kept,) = site.records(BackupKind.SALVAGE)
    assert not kept.verified_at
    site.restore(kept.backup.id)
    assert site.live.read_bytes() == damaged


def test_a_corrupt_header_is_restored_over_and_its_bytes_are_kept(site: Site) -> None:
    corrupt_header(site.live)
    damaged = site.live.read_bytes()
    site.live.chmod(0o640)
    assert site.restore().outcome == "restored"
    assert dump(site.live) == site.backed_up
    assert stat.S_IMODE(site.live.stat().st_mode) == 0o640
    (kept,) = site.records(BackupKind.SALVAGE)
    site.restore(kept.backup.id)
    assert site.live.read_bytes() == damaged
    site.nothing_is_left_over()


def test_an_empty_file_is_restored_over(site: Site) -> None:
    site.live.write_bytes(b"")
    site.live.with_name("app.db-wal").unlink(missing_ok=True)
    site.restore()
    assert dump(site.live) == site.backed_up


@pytest.mark.parametrize("folder_too", [False, True])
def test_a_deleted_database_comes_back(site: Site, folder_too: bool) -> None:
    if folder_too:
        shutil.rmtree(site.live.parent)
    else:
        for path in site.live.parent.glob("app.db*"):
            path.unlink()
    assert site.restore().outcome == "restored"
    assert dump(site.live) == site.backed_up


def test_a_symlinked_database_stays_a_link(tmp_path: Path) -> None:
    site = Site(tmp_path / "repo")
    elsewhere = tmp_path / "disk" / "real.db"
    elsewhere.parent.mkdir()
    for suffix in ("", "-wal", "-shm"):
        file = site.live.with_name("app.db" + suffix)
        if file.exists():
            file.rename(elsewhere.with_name("real.db" + suffix))
    site.live.symlink_to(elsewhere)
    site.restore()
    assert site.live.is_symlink()
    assert dump(elsewhere) == site.backed_up
    corrupt_header(elsewhere)
    site.restore()
    assert site.live.is_symlink()
    assert dump(elsewhere) == site.backed_up


@MODES
def test_a_process_that_has_it_open_is_named_and_sees_the_restored_data(tmp_path: Path, wal: bool) -> None:
    site = Site(tmp_path / "repo", wal=wal)
    with child(HOLDER, site.live) as holder:
        project = site.project
        source, record, why = choose(project, "latest")
        plan = make_plan(project, source, record, why)
        assert [found.pid for found in plan.holders] == [holder.pid]
        assert execute(project, plan).outcome == "restored"
        assert ask(holder, "SELECT count(*) FROM segments") == "[(200,)]"
        ask(holder, "INSERT INTO episodes (title) VALUES ('after the restore')")
    assert query(site.live, "SELECT count(*) FROM episodes WHERE title = 'after the restore'") == [(1,)]
    with opened(site.live) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_an_open_transaction_makes_it_give_up_with_everything_as_it_was(site: Site) -> None:
    with child(HOLDER, site.live) as holder:
        ask(holder, "BEGIN IMMEDIATE")
        ask(holder, "INSERT INTO episodes (title) VALUES ('uncommitted')")
        done = ics_guard(site.root, "restore", "latest", "--yes")
        assert done.returncode == 4, done.stderr
        assert f"pid {holder.pid}" in done.stderr
        ask(holder, "ROLLBACK")
    assert dump(site.live) == site.changed


def test_a_broken_database_that_is_held_is_not_replaced_behind_the_holders_back(site: Site) -> None:
    with child(HOLDER, site.live) as holder:
        corrupt_header(site.live)
        damaged = site.live.read_bytes()
        with pytest.raises(RestoreError) as caught:
            site.restore()
        assert str(holder.pid) in caught.value.message
        assert site.live.read_bytes() == damaged
    site.restore()
    assert dump(site.live) == site.backed_up


def test_a_writer_at_full_speed_loses_nothing(tmp_path: Path) -> None:
    """What was committed is live, or in the newest safety copy; if the restore gives up, everything is live."""
    site = Site(tmp_path / "repo", rows=2000)
    with child(WRITER, site.live):
        time.sleep(0.2)
        try:
            site.restore()
            restored = True
        except RestoreError as error:
            restored = False
            assert "nothing was changed" in str(error.message) + error.fix
    assert restored or len(query(site.live, "SELECT 1 FROM later")) == 0
    kept = site.records(BackupKind.SAFETY)[0].backup
    target = tmp_path / "kept.db"
    assert ics_guard(site.root, "restore", kept.id, "--into", str(target)).returncode == 0
    copied = {row[0] for row in query(target, "SELECT title FROM episodes WHERE title LIKE 'written %'")}
    live = {row[0] for row in query(site.live, "SELECT title FROM episodes WHERE title LIKE 'written %'")}
    written = sorted(int(str(title).split()[1]) for title in copied | live)
    assert written == list(range(1, len(written) + 1)), "a committed row is neither live nor kept"


@MODES
def test_a_kill_at_any_moment_leaves_before_or_after(tmp_path: Path, wal: bool) -> None:
    site = Site(tmp_path / "repo", wal=wal, rows=3000)
    (newest,) = site.records(BackupKind.BACKUP)
    command = [sys.executable, "-P", "-m", "ics_guard", "restore", newest.backup.id, "--yes"]
    began = time.monotonic()
    subprocess.run(command, cwd=site.root, check=True, capture_output=True)
    whole = time.monotonic() - began
    trials = 10
    for number in range(trials):
        make_changed(site)
        with subprocess.Popen(command, cwd=site.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(whole * (0.3 + 0.65 * number / trials))
            process.send_signal(signal.SIGKILL)
        with opened_after_a_crash(site.live) as check:
            assert check == "ok"
        assert dump(site.live) in (site.backed_up, site.changed)
    site.restore(newest.backup.id)
    assert dump(site.live) == site.backed_up
    site.nothing_is_left_over()


@contextmanager
def opened_after_a_crash(path: Path) -> Iterator[str]:
    """Open it as the application would, read-write, so that SQLite recovers; yield what integrity_check says."""
    with closing(sqlite3.connect(path)) as connection:
        yield str(connection.execute("PRAGMA integrity_check").fetchone()[0])


def make_changed(site: Site) -> None:
    if dump(site.live) != site.changed:
        sql(
            site.live, "DELETE FROM segments WHERE id > 50", "DROP INDEX idx_segments_episode", "CREATE TABLE later (x)"
        )


def test_a_failing_smoke_check_brings_the_previous_state_back(tmp_path: Path) -> None:
    config = CONFIG + "smoke = [{ sql = 'SELECT count(*) FROM later' }]\n"
    site = Site(tmp_path / "repo", config=config)
    with pytest.raises(RestoreError) as caught:
        site.restore()
    assert caught.value.exit_code == 4
    assert "no such table: later" in caught.value.message
    assert dump(site.live) == site.changed
    newest = ledger.read(site.project.store)[-1]
    assert (newest.event, newest.data["outcome"]) == ("restore", "reverted")


def test_when_even_the_revert_fails_the_printed_commands_bring_it_back(tmp_path: Path) -> None:
    """The smoke command destroys the safety copy and fails: a person is needed, and is told what to type."""
    spoil = "cp backups/sqlite/*pre_restore*.zst kept.zst; rm backups/sqlite/*pre_restore*.zst; false"
    config = CONFIG + f'smoke = [{{ run = "{spoil}" }}]\n'
    site = Site(tmp_path / "repo", config=config)
    with pytest.raises(RevertError) as caught:
        site.restore()
    assert caught.value.exit_code == 5
    safety = site.records(BackupKind.SAFETY)[0].backup
    shutil.copy(site.root / "kept.zst", site.root / "backups" / safety.image.key)
    subprocess.run(["sh", "-ec", caught.value.fix], cwd=site.root, check=True)
    assert dump(site.live) == site.changed


def test_a_damaged_backup_is_refused_before_anything_is_touched(site: Site) -> None:
    (record,) = site.records(BackupKind.BACKUP)
    path = Path(site.project.store.describe(record.backup.image.key))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(bytes(raw))
    with pytest.raises(RestoreError) as caught:
        site.restore()
    assert caught.value.code == "backup-damaged"
    assert dump(site.live) == site.changed


def test_a_hot_journal_is_kept_before_it_is_rolled_back(tmp_path: Path) -> None:
    site = Site(tmp_path / "repo", wal=False, rows=3000)
    leave_hot_journal(site.live)
    site.restore()
    assert dump(site.live) == site.backed_up
    assert "journal" in [f.role for r in site.records(BackupKind.SALVAGE) for f in r.backup.files]


def test_another_page_size_is_restored_file_by_file(site: Site) -> None:
    for path in site.live.parent.glob("app.db*"):
        path.unlink()
    make_database(site.live, page_size=8192, rows=20)
    before = dump(site.live)
    outcome = site.restore()
    assert dump(site.live) == site.backed_up
    assert outcome.safety
    site.restore(outcome.safety.id)
    assert dump(site.live) == before


def test_a_dry_run_says_what_would_be_lost_and_does_nothing(site: Site) -> None:
    state = site.live.stat().st_mtime_ns
    entries = len(ledger.read(site.project.store))
    done = ics_guard(site.root, "restore", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    losses = {loss["table"]: (loss["added"], loss["changed"], loss["removed"]) for loss in plan["losses"]}
    assert losses["segments"] == (0, 0, 150)
    assert plan["steps"]
    assert plan["source"] == "db"
    assert site.live.stat().st_mtime_ns == state
    assert len(ledger.read(site.project.store)) == entries
    assert dump(site.live) == site.changed


def test_nobody_to_ask_means_no_restore_without_yes(site: Site) -> None:
    done = ics_guard(site.root, "restore")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert dump(site.live) == site.changed


def test_without_yes_json_is_still_one_document(site: Site) -> None:
    done = ics_guard(site.root, "restore", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "needs-yes"
    assert dump(site.live) == site.changed


def test_the_code_of_that_time_is_named_where_it_is_another(site: Site) -> None:
    assert "git switch" not in ics_guard(site.root, "restore", "latest", "--yes").stdout
    git(site.root, "commit", "-q", "--allow-empty", "--no-verify", "-m", "later")
    assert "git switch" in ics_guard(site.root, "restore", "latest", "--yes").stdout


def test_a_table_that_comes_back_speaks_for_its_columns() -> None:
    (line,) = schema_text(("column:a.x", "column:b.y", "index:i", "table:a"), ())
    assert line.plain == "  comes back: column:b.y, index:i, table:a"


def test_into_leaves_the_live_database_alone_and_never_overwrites(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "copy.db"
    assert ics_guard(site.root, "restore", "--into", str(target)).returncode == 0
    assert dump(target) == site.backed_up
    assert dump(site.live) == site.changed
    assert ics_guard(site.root, "restore", "--into", str(target)).returncode == 2


def test_the_json_of_a_restore_is_the_contracts(site: Site) -> None:
    done = ics_guard(site.root, "restore", "--yes", "--json")
    document = json.loads(done.stdout)
    assert document["outcome"] == "restored"
    assert document["safety_backup"]
    assert all(check["ok"] for check in document["checks"])
    assert document["seconds"] > 0


def test_a_backup_is_chosen_by_time_and_by_name(site: Site) -> None:
    assert ics_guard(site.root, "backup").returncode == 0
    older, newer = sorted((r.backup for r in site.records(BackupKind.BACKUP)), key=lambda b: b.imaged_at)
    assert choose(site.project, "latest")[1].backup.id == newer.id
    assert (
        choose(site.project, "latest", at=newer.imaged_at - (newer.imaged_at - older.imaged_at) / 2)[1].backup == older
    )
    assert choose(site.project, older.id)[1].backup == older
    with pytest.raises(UsageError):
        choose(site.project, "latest", at=older.imaged_at.replace(year=2000))
    with pytest.raises(UsageError):
        choose(site.project, "nothing-like-it")


def test_stop_and_start_are_run_around_it(tmp_path: Path) -> None:
    config = CONFIG + 'stop = "echo stop >> order"\nstart = "echo start >> order"\n'
    site = Site(tmp_path / "repo", config=config)
    site.restore()
    assert (site.root / "order").read_text() == "stop\nstart\n"


def test_a_stop_that_fails_stops_the_restore(tmp_path: Path) -> None:
    site = Site(tmp_path / "repo", config=CONFIG + 'stop = "exit 3"\n')
    with pytest.raises(RestoreError):
        site.restore()
    assert dump(site.live) == site.changed


def test_the_event_is_in_the_ledger_and_in_sessions_md(site: Site) -> None:
    (site.root / "SESSIONS.md").write_text("# Development log\n\n## Session: yesterday\n\nDone.\n")
    outcome = site.restore()
    text = (site.root / "SESSIONS.md").read_text()
    assert text.startswith("# Development log\n\n## Restore of db (local): restored\n")
    assert text.endswith("## Session: yesterday\n\nDone.\n")
    for item in ("Timestamp: ", "Source environment: local", "Backup: ", "Schema/app version: ", "Integrity check: "):
        assert item in text
    assert "Operator: " in text
    assert outcome.safety
    assert outcome.safety.id in text


def test_a_store_that_cannot_be_written_stops_the_restore_before_it_begins(site: Site) -> None:
    shutil.rmtree(site.root / "backups" / ".incoming")
    (site.root / "backups" / ".incoming").write_text("in the way")
    with pytest.raises(RestoreError) as caught:
        site.restore()
    assert "nothing was changed" in caught.value.message
    assert dump(site.live) == site.changed


WRITES_AND_FAILS = (
    f"smoke = [{{ run = \"{sys.executable} -c \\\"import sqlite3; c = sqlite3.connect('data/app.db'); "
    "c.execute('CREATE TABLE written_after (x)'); c.commit()\\\"; false\" }]\n"
)


@pytest.mark.parametrize("name", ["a#b", "50%25", "what?x=1", "it's"])
def test_a_repository_may_have_any_name(tmp_path: Path, name: str) -> None:
    site = Site(tmp_path / name)
    site.restore()
    assert dump(site.live) == site.backed_up


@MODES
@pytest.mark.parametrize(
    ("offset", "content"),
    [(18, b"\5"), (19, b"\7"), (20, b"\xff"), (21, b"\0"), (44, b"\0\0\0\x63"), (56, b"\0\0\0\7")],
)
def test_a_header_damaged_behind_its_first_words_is_restored(
    tmp_path: Path, wal: bool, offset: int, content: bytes
) -> None:
    site = Site(tmp_path / "repo", wal=wal)
    with site.live.open("r+b") as stream:
        stream.seek(offset)
        stream.write(content)
    site.restore()
    assert dump(site.live) == site.backed_up


@pytest.mark.parametrize("size", [100, 600, 4096])
def test_a_database_cut_short_is_restored(tmp_path: Path, size: int) -> None:
    site = Site(tmp_path / "repo", wal=False)
    with site.live.open("r+b") as stream:
        stream.truncate(size)
    site.restore()
    assert dump(site.live) == site.backed_up


def test_a_database_in_another_text_encoding_is_overwritten_and_not_called_unchanged(site: Site) -> None:
    for file in site.live.parent.iterdir():
        file.unlink()
    sql(site.live, "PRAGMA encoding = 'UTF-16le'", "CREATE TABLE other (x)")
    site.restore()
    assert dump(site.live) == site.backed_up


@MODES
def test_what_others_wrote_after_the_restore_is_kept_when_it_is_taken_back(tmp_path: Path, wal: bool) -> None:
    site = Site(tmp_path / "repo", wal=wal)
    (site.root / "ics-guard.toml").write_text(CONFIG + WRITES_AND_FAILS)
    with pytest.raises(RestoreError) as caught:
        site.restore()
    assert dump(site.live) == site.changed
    (kept,) = re.findall(r"after the restore is kept as (\S+)\.", caught.value.message)
    (site.root / "ics-guard.toml").write_text(CONFIG)
    site.restore(kept)
    assert query(site.live, "SELECT count(*) FROM written_after") == [(0,)]
    site.nothing_is_left_over()


def test_beside_a_writer_that_comes_and_goes_the_restore_is_taken_back_without_a_person(tmp_path: Path) -> None:
    program = WRITER.replace("    connection.execute(", "    time.sleep(0.01)\n    connection.execute(").replace(
        "import sqlite3, sys", "import sqlite3, sys, time"
    )
    site = Site(tmp_path / "repo")
    (site.root / "ics-guard.toml").write_text(CONFIG + 'smoke = [{ run = "sleep 0.5; false" }]\n')
    with child(program, site.live), pytest.raises(RestoreError):
        site.restore()


def test_a_lost_main_file_is_lost_again_when_the_restore_is_taken_back(site: Site) -> None:
    """Its -wal beside the restored file would change that one."""
    with child(HOLDER, site.live) as holder:
        ask(holder, "PRAGMA wal_autocheckpoint=0")
        ask(holder, "UPDATE episodes SET title = 'in the wal'")
        holder.kill()
        holder.wait()
    wal = site.live.with_name("app.db-wal").read_bytes()
    site.live.unlink()
    (site.root / "ics-guard.toml").write_text(CONFIG + 'smoke = [{ run = "false" }]\n')
    with pytest.raises(RestoreError):
        site.restore()
    assert not site.live.exists()
    assert site.live.with_name("app.db-wal").read_bytes() == wal


def test_an_answer_that_is_no_text_passes_its_smoke_check(tmp_path: Path) -> None:
    site = Site(tmp_path / "repo", config=CONFIG + "smoke = [{ sql = \"SELECT CAST(x'ff' AS TEXT)\" }]\n")
    assert site.restore().outcome == "restored"


def test_a_check_that_breaks_takes_the_restore_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("our own bug")

    monkeypatch.setattr("ics_guard.restore.run_smoke", broken)
    with pytest.raises(RestoreError):
        site.restore()
    assert dump(site.live) == site.changed


def test_a_log_that_is_not_utf8_is_kept_byte_for_byte(site: Site) -> None:
    (site.root / "SESSIONS.md").write_bytes(b"# Log\n\ncaf\xe9\n")
    site.restore()
    assert (site.root / "SESSIONS.md").read_bytes().endswith(b"\n\ncaf\xe9\n")


def test_a_restore_that_cannot_be_written_down_is_still_called_done(tmp_path: Path) -> None:
    """The last smoke check makes the store unwritable: the data is restored, and saying otherwise would be a lie."""
    spoil = "rm -rf backups/.incoming && touch backups/.incoming"
    site = Site(tmp_path / "repo", config=CONFIG + f'smoke = [{{ run = "{spoil}" }}]\n')
    done = ics_guard(site.root, "restore", "latest", "--yes")
    assert done.returncode == 0, done.stderr
    assert "could not be written down" in done.stderr
    assert dump(site.live) == site.backed_up


def test_too_little_room_beside_the_database_is_told_before_anything_is_touched(site: Site, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    shutil.move(site.root / "data", saved)
    size = sum(path.stat().st_size for path in saved.iterdir()) // 1024 + 64
    restore = f"{sys.executable} -P -m ics_guard restore latest --yes"
    script = f"cp {saved}/* data/ && {restore}; code=$?; cp data/* {saved}/; exit $code"
    done = on_a_disk(site.root / "data", f"size={size}k", "sh", "-c", script)
    assert done.returncode == 4, done.stderr
    assert "the restore needs about" in done.stderr
    assert dump(saved / "app.db") == site.changed


def test_a_safety_copy_of_a_tracked_database_is_a_drilled_one(site: Site) -> None:
    git(site.root, "add", "-f", "data/app.db")
    outcome = site.restore()
    assert outcome.safety
    assert outcome.safety.kind is BackupKind.SAFETY


def test_into_a_path_with_a_stale_companion_or_a_dead_link_nothing_is_written(site: Site) -> None:
    target = site.root / "copy.db"
    target.with_name("copy.db-wal").write_bytes(b"stale")
    assert ics_guard(site.root, "restore", "--into", str(target)).returncode == 2
    assert not target.exists()
    link = site.root / "link.db"
    link.symlink_to("nowhere")
    assert ics_guard(site.root, "restore", "--into", str(link)).returncode == 2
    assert link.is_symlink()


def test_a_salvage_is_brought_back_elsewhere_with_its_wal(site: Site) -> None:
    corrupt_header(site.live)
    site.live.with_name("app.db-wal").write_bytes(b"what was there")
    outcome = site.restore()
    assert outcome.safety
    assert ics_guard(site.root, "restore", outcome.safety.id, "--into", "copy.db").returncode == 0
    assert (site.root / "copy.db").read_bytes().startswith(b"no database here")
    assert (site.root / "copy.db-wal").read_bytes() == b"what was there"
