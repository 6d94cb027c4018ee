"""ledger, status, check and drill as a user and a program see them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import CONFIG, execute, git, ics_guard, make_repository


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make_repository(tmp_path / "repo")
    assert ics_guard(root, "backup").returncode == 0
    return root


def document(root: Path, *arguments: str) -> dict[str, object]:
    done = ics_guard(root, *arguments, "--json")
    found = json.loads(done.stdout)
    assert found["schema_version"] == 1
    assert isinstance(found, dict)
    return found


def listed(root: Path, name: str, *arguments: str) -> list[dict[str, Any]]:
    found = document(root, *arguments)[name]
    assert isinstance(found, list)
    return found


def test_list_gives_the_contracts_fields(root: Path) -> None:
    entries = listed(root, "entries", "ledger", "list")
    assert [set(entry) for entry in entries] == [
        {"seq", "at", "event", "actor", "env", "source", "data", "prev", "sha256"}
    ] * 2
    only = listed(root, "entries", "ledger", "list", "--event", "drill")
    assert [entry["event"] for entry in only] == ["drill"]


def test_status_shows_the_command_that_mends_it_on_one_line(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    git(root, "add", "-f", "data/app.db")
    said = ics_guard(root, "status").stdout
    (command,) = [line for line in said.splitlines() if "git rm --cached" in line]
    assert command.endswith(".gitignore")


def test_list_shows_ids_whole_at_any_width(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    shown = ics_guard(root, "ledger", "list").stdout
    newest = next((root / "backups" / "sqlite").glob("*.zst")).name.removesuffix(".db.zst")
    assert [newest in line for line in shown.splitlines()] == [True, True]


def test_show_finds_an_entry_by_number_and_a_backup_by_id(root: Path) -> None:
    (entry,) = json.loads(ics_guard(root, "ledger", "show", "1", "--json").stdout)["entries"]
    assert entry["event"] == "backup"
    both = json.loads(ics_guard(root, "ledger", "show", entry["data"]["backup"]["id"], "--json").stdout)["entries"]
    assert [one["event"] for one in both] == ["backup", "drill"]
    done = ics_guard(root, "ledger", "show", "nonsense", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "unknown-entry"


def test_verify_names_the_first_false_entry(root: Path) -> None:
    assert ics_guard(root, "ledger", "verify").returncode == 0
    path = root / "backups" / "ledger" / "00000001.json"
    path.write_text(path.read_text().replace('"local"', '"prod"', 1))
    done = ics_guard(root, "ledger", "verify")
    assert done.returncode == 3
    assert "entry 1: its content does not match its own hash" in done.stdout


def test_verify_finds_a_backup_whose_own_metadata_says_something_else(root: Path) -> None:
    (path,) = (root / "backups" / "sqlite").glob("*.json")
    path.write_text(path.read_text().replace('"env": "local"', '"env": "prod"'))
    done = ics_guard(root, "ledger", "verify")
    assert done.returncode == 3
    assert "entry 1" in done.stdout


def test_export_is_one_line_an_entry(root: Path, tmp_path: Path) -> None:
    target = tmp_path / "ledger.jsonl"
    assert ics_guard(root, "ledger", "export", "-o", str(target)).returncode == 0
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert [line["seq"] for line in lines] == [1, 2]
    assert ics_guard(root, "ledger", "export").stdout == target.read_text()


def test_summary_is_the_sessions_block_and_writes_only_when_told(root: Path) -> None:
    shown = ics_guard(root, "ledger", "summary").stdout
    for item in ("Timestamp", "Source environment", "Backup", "Schema/app version", "Integrity check", "Operator"):
        assert f"- {item}: " in shown
    assert "verified by drill" in shown
    assert not (root / "SESSIONS.md").exists()
    assert ics_guard(root, "ledger", "summary", "--write").returncode == 0
    assert (root / "SESSIONS.md").read_text().startswith("# Sessions\n\n## Backup of db (local): done\n")


def test_status_gives_the_contracts_fields_and_says_why_not(root: Path) -> None:
    (source,) = listed(root, "sources", "status")
    fields = {"name", "kind", "fresh", "reasons", "backup", "age_seconds", "verified_at", "last_drill", "rto_seconds"}
    assert fields <= set(source)
    assert source["fresh"]
    execute(root / "data" / "app.db", "INSERT INTO episodes (title) VALUES ('since')")
    (source,) = listed(root, "sources", "status")
    assert not source["fresh"]
    (reason,) = source["reasons"]
    assert reason["code"] == "changed-since"
    assert reason["fix"] == "ics-guard backup db"
    shown = ics_guard(root, "status").stdout
    assert "not fresh" in shown
    assert "ics-guard backup db" in shown
    assert "second place" in shown


def test_drill_measures_and_all_drills_every_one(root: Path) -> None:
    ics_guard(root, "backup", "--full")
    one = listed(root, "drills", "drill")
    every = listed(root, "drills", "drill", "--all")
    assert (len(one), len(every)) == (1, 2)
    assert all(drill["ok"] and drill["seconds"] > 0 for drill in every)
    assert ics_guard(root, "drill", "nonsense").returncode == 2


def test_check_gives_the_contracts_fields(root: Path) -> None:
    (root / "migrations" / "0002.sql").write_text("-- why\nDROP TABLE segments;\n")
    git(root, "add", "-A")
    assert document(root, "check", "--staged")["impacting"] is True
    (change,) = listed(root, "changes", "check", "--staged")
    fields = ("path", "line", "column", "kind", "rule", "operation", "object", "severity", "reason", "sources")
    assert {name: change[name] for name in fields} == {
        "path": "migrations/0002.sql",
        "line": 2,
        "column": 1,
        "kind": "sql",
        "rule": "sql.drop_table",
        "operation": "drop_table",
        "object": "segments",
        "severity": "destructive",
        "reason": "Every row of the table is lost.",
        "sources": ["db"],
    }
    assert ics_guard(root, "check").returncode == 0
    assert ics_guard(root, "check", "--exit-code").returncode == 1
    assert json.loads(ics_guard(root, "check", "--format", "json").stdout)["impacting"]
    assert ics_guard(root, "check", "--format", "nonsense").returncode == 2
    assert len(listed(root, "changes", "check", "--all")) == 2


def test_a_range_from_nothing_is_everything(root: Path) -> None:
    whole = listed(root, "changes", "check", "--range", "HEAD")
    assert whole
    assert listed(root, "changes", "check", "--range", f"{'0' * 40}..HEAD") == whole


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "--range", "nowhere..HEAD"],
        ["check", "--staged", "--all"],
        ["check", "--from-ref", "HEAD"],
        ["status", "--env", "nowhere"],
        ["restore", "nothing"],
        ["restore", "--at", "yesterday"],
        ["waive", "--reason", " "],
        ["waive", "--reason", "nothing staged"],
    ],
)
def test_usage_errors_are_documents_with_a_fix(root: Path, arguments: list[str]) -> None:
    done = ics_guard(root, *arguments, "--json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["code"]
    assert error["message"]
    assert error["fix"]
    plain = ics_guard(root, *arguments)
    assert plain.returncode == 2
    assert "do:" in plain.stderr


def test_a_command_line_that_cannot_be_read_is_a_usage_error(root: Path) -> None:
    assert ics_guard(root, "nonsense").returncode == 2
    done = ics_guard(root, "status", "--nonsense", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "usage"


def test_names_cannot_drive_the_terminal(root: Path) -> None:
    (root / "migrations" / "0002\x1b[31m.sql").write_text("DROP TABLE segments;\n")
    git(root, "add", "-A")
    for arguments in (["check"], ["gate"]):
        assert "\x1b" not in ics_guard(root, *arguments).stdout


def test_no_colour_where_nobody_watches(root: Path) -> None:
    assert "\x1b" not in ics_guard(root, "status").stdout


def test_a_file_name_that_is_no_utf8_is_shown_and_recorded(root: Path) -> None:
    name = b"migrations/0002\xff.sql"
    (root / Path(name.decode("utf-8", "surrogateescape"))).write_text("DROP TABLE segments;\n")
    git(root, "add", "-A")
    assert document(root, "check")["impacting"]
    assert ics_guard(root, "check").returncode == 0
    done = ics_guard(root, "gate")
    assert done.returncode == 0, done.stderr
    assert ics_guard(root, "ledger", "verify").returncode == 0


def test_several_environments_stand_side_by_side(tmp_path: Path) -> None:
    other = "\n[env.staging]\nstore = 'other'\n[env.staging.sources.db]\nkind = 'sqlite'\npath = 'data/app.db'\n"
    root = make_repository(tmp_path / "repo", config=CONFIG + other)
    assert ics_guard(root, "backup", "--env", "staging").returncode == 0
    assert (root / "other" / "ledger").exists()
    assert not (root / "backups").exists()
    (source,) = listed(root, "sources", "status")
    assert not source["fresh"]
