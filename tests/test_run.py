"""`run`: a command under guard, and Alembic's own moment of truth."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ics_guard import ledger
from ics_guard.project import open_project
from tests.alembic_support import ADD_COLUMN, CONFIG, DROP_COLUMN, alembic, make_alembic_repository, write_revision
from tests.support import CONFIG as SQL_CONFIG
from tests.support import HOLDER, ask, child, dump, execute, ics_guard, make_database, make_repository, query


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repo")


def sql_command(statement: str, exit_code: int = 0) -> list[str]:
    program = (
        f"import sqlite3, sys; c = sqlite3.connect('data/app.db'); c.executescript({statement!r}); "
        f"c.commit(); c.close(); sys.exit({exit_code})"
    )
    return [sys.executable, "-c", program]


def test_a_command_that_works_keeps_its_work_and_has_a_way_back(root: Path) -> None:
    done = ics_guard(root, "run", "--", *sql_command("CREATE TABLE made (x)"))
    assert done.returncode == 0, done.stderr
    assert query(root / "data" / "app.db", "SELECT count(*) FROM made") == [(0,)]
    assert "way back is app_" in done.stderr
    entry = ledger.read(open_project(root).store)[-1]
    assert (entry.event, entry.data["outcome"]) == ("run", "done")


def test_a_command_that_fails_leaves_the_data_as_it_was(root: Path) -> None:
    before = dump(root / "data" / "app.db")
    done = ics_guard(root, "run", "--", *sql_command("DELETE FROM segments; CREATE TABLE half (x)", 3))
    assert done.returncode == 6, done.stderr
    assert dump(root / "data" / "app.db") == before
    assert "ended with 3" in done.stderr


def test_what_a_failed_command_left_comes_back_with_the_printed_command(root: Path) -> None:
    done = ics_guard(root, "run", "--", *sql_command("INSERT INTO episodes VALUES (9999, 'precious', 1)", 3))
    assert done.returncode == 6
    (kept,) = re.findall(r"ics-guard restore (\S+)\)", done.stderr)
    assert query(root / "data" / "app.db", "SELECT title FROM episodes WHERE id = 9999") == []
    assert ics_guard(root, "restore", kept, "--yes").returncode == 0
    assert query(root / "data" / "app.db", "SELECT title FROM episodes WHERE id = 9999") == [("precious",)]


def test_a_database_that_a_failed_command_made_is_named(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo", rows=0)
    (root / "data").mkdir()
    done = ics_guard(root, "run", "--", *sql_command("CREATE TABLE half (x)", 3))
    assert done.returncode == 6
    assert "app.db, which the command made, is still there" in done.stderr


def test_a_command_that_fails_and_changed_nothing_restores_nothing(root: Path) -> None:
    done = ics_guard(root, "run", "--", sys.executable, "-c", "raise SystemExit(9)")
    assert done.returncode == 6
    assert "restore" not in [entry.event for entry in ledger.read(open_project(root).store)]


def test_a_failing_smoke_check_counts_as_failure(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo", config=SQL_CONFIG + 'smoke = [{ sql = "SELECT text FROM segments" }]\n')
    before = dump(root / "data" / "app.db")
    done = ics_guard(root, "run", "--", *sql_command("DROP TABLE segments"))
    assert done.returncode == 6, done.stderr
    assert dump(root / "data" / "app.db") == before


def test_beside_another_process_nothing_is_put_back_over_its_rows(root: Path) -> None:
    live = root / "data" / "app.db"
    before = dump(live)
    with child(HOLDER, live) as holder:
        done = ics_guard(root, "run", "--", *sql_command("DELETE FROM segments", 1))
        assert done.returncode == 5, done.stderr
        assert f"pid {holder.pid}" in done.stderr
        assert ask(holder, "SELECT count(*) FROM segments") == "[(0,)]"
    printed = next(line for line in done.stderr.splitlines() if "ics-guard restore app_" in line)
    assert ics_guard(root, *printed.split("ics-guard ", 1)[1].split(), "--yes").returncode == 0
    assert dump(live) == before


def test_a_command_that_cannot_be_run_is_a_usage_error(root: Path) -> None:
    done = ics_guard(root, "run", "--", "no-such-program-anywhere")
    assert done.returncode == 2
    assert ics_guard(root, "run").returncode == 2


def test_a_run_without_data_yet_goes_ahead(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo", rows=0)
    (root / "data").mkdir()
    done = ics_guard(root, "run", "--", *sql_command("CREATE TABLE first (x)"))
    assert done.returncode == 0, done.stderr


def test_no_way_back_means_no_run(root: Path) -> None:
    (root / "backups").write_text("in the way")
    done = ics_guard(root, "run", "--", *sql_command("DELETE FROM segments"))
    assert done.returncode == 3
    assert query(root / "data" / "app.db", "SELECT count(*) FROM segments") == [(200,)]


# Alembic's env.py


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_alembic_repository(tmp_path / "repo")


def test_an_upgrade_takes_its_way_back_first(project: Path) -> None:
    live = project / "data" / "podcast.db"
    before = dump(live)
    write_revision(project, "0003", DROP_COLUMN)
    done = alembic(project, "upgrade", "head")
    assert done.returncode == 0, done.stderr
    assert "the way back before 1 migration is podcast_" in done.stderr
    assert dump(live) != before
    events = [entry.event for entry in ledger.read(open_project(project).store)]
    assert events == ["backup", "drill", "gate"]
    assert ics_guard(project, "restore", "latest", "--yes").returncode == 0
    assert dump(live) == before


def test_a_downgrade_takes_its_way_back_first(project: Path) -> None:
    done = alembic(project, "downgrade", "-1")
    assert done.returncode == 0, done.stderr
    assert "the way back before 1 migration is podcast_" in done.stderr


def test_commands_that_apply_nothing_are_not_asked(project: Path) -> None:
    for command in (["current"], ["history"], ["upgrade", "head"], ["upgrade", "head", "--sql"], ["stamp", "head"]):
        done = alembic(project, *command)
        assert done.returncode == 0, done.stderr
        assert "way back" not in done.stderr
    assert not (project / "backups").exists()


def test_without_a_way_back_nothing_is_migrated(project: Path) -> None:
    live = project / "data" / "podcast.db"
    before = dump(live)
    write_revision(project, "0003", DROP_COLUMN)
    (project / "backups").write_text("in the way")
    done = alembic(project, "upgrade", "head")
    assert done.returncode != 0
    assert "nothing was migrated" in done.stderr + done.stdout
    assert dump(live) == before


def test_where_policy_refuses_the_upgrade_waits_for_a_backup(tmp_path: Path) -> None:
    project = make_alembic_repository(tmp_path / "repo", config=CONFIG + '[policy]\non_missing = "refuse"\n')
    write_revision(project, "0003", ADD_COLUMN)
    done = alembic(project, "upgrade", "head")
    assert done.returncode != 0
    assert "podcast has no backup yet" in done.stderr
    assert "ics-guard backup podcast --env local" in done.stderr
    assert ics_guard(project, "backup").returncode == 0
    execute(project / "data" / "podcast.db", "INSERT INTO episodes (title) VALUES ('later')")
    assert "was written to since" in alembic(project, "upgrade", "head").stderr
    assert ics_guard(project, "backup").returncode == 0
    assert alembic(project, "upgrade", "head").returncode == 0
    gates = [entry.data for entry in ledger.read(open_project(project).store) if entry.event == "gate"]
    assert [(gate["verdict"], len(gate["backups"])) for gate in gates] == [("block", 0), ("block", 0), ("allow", 1)]
    assert gates[0]["reasons"][0]["code"] == "no-way-back"


def test_a_database_that_no_source_answers_for_is_not_migrated(project: Path, tmp_path: Path) -> None:
    other = make_database(tmp_path / "other.db")
    ini = project / "alembic.ini"
    ini.write_text(ini.read_text().replace("data/podcast.db", str(other)))
    before = dump(other)
    done = alembic(project, "upgrade", "head")
    assert done.returncode != 0
    assert "no source in ics-guard.toml is that file" in done.stderr
    assert "episodes" in str(before)
    env = project / "migrations" / "env.py"
    env.write_text(env.read_text().replace("guard(context)", f"guard(context, scratch=['{tmp_path}/*.db'])"))
    done = alembic(project, "upgrade", "head")
    assert "no source in ics-guard.toml" not in done.stderr


def test_a_blank_database_needs_no_way_back(project: Path, tmp_path: Path) -> None:
    ini = project / "alembic.ini"
    ini.write_text(ini.read_text().replace("data/podcast.db", str(tmp_path / "blank.db")))
    done = alembic(project, "upgrade", "head")
    assert done.returncode == 0, done.stderr
    assert query(tmp_path / "blank.db", "SELECT version_num FROM alembic_version") == [("0002",)]


def test_a_database_in_memory_needs_no_way_back(project: Path) -> None:
    ini = project / "alembic.ini"
    ini.write_text(ini.read_text().replace("sqlite:///data/podcast.db", "sqlite://"))
    assert alembic(project, "upgrade", "head").returncode == 0


def test_the_guard_works_from_another_folder_and_through_the_api(project: Path, tmp_path: Path) -> None:
    write_revision(project, "0003", ADD_COLUMN)
    ini = project / "alembic.ini"
    ini.write_text(ini.read_text().replace("sqlite:///data/podcast.db", f"sqlite:///{project}/data/podcast.db"))
    program = f"from alembic import command, config; command.upgrade(config.Config({str(ini)!r}), 'head')"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    assert "the way back before 1 migration is podcast_" in done.stderr


def test_a_guard_that_comes_too_late_fails_loudly(project: Path) -> None:
    env = project / "migrations" / "env.py"
    text = env.read_text().replace("guard(context)\n", "")
    env.write_text(text + "\nguard(context)\n")
    done = alembic(project, "upgrade", "head")
    assert done.returncode != 0
    assert "too late" in done.stderr + done.stdout


def test_the_ledger_says_what_alembic_was_about_to_do(project: Path) -> None:
    write_revision(project, "0003", ADD_COLUMN)
    alembic(project, "upgrade", "head")
    listed = json.loads(ics_guard(project, "ledger", "list", "--event", "gate", "--json").stdout)
    (entry,) = listed["entries"]
    assert entry["data"]["via"] == "alembic"
    assert entry["data"]["changes"] == [{"revision": "0003", "upgrade": True}]
