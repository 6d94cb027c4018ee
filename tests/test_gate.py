"""The gate on real repositories: the way back in both cases, and a message that says what mends it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ics_guard import ledger
from ics_guard.project import open_project
from tests.alembic_support import ADD_COLUMN, CONFIG, DROP_COLUMN, alembic, make_alembic_repository, write_revision
from tests.support import CONFIG as SQL_CONFIG
from tests.support import HOLDER, ask, child, dump, execute, git, ics_guard, make_repository, query

REFUSE = "[policy]\non_missing = 'refuse'\n"


def gate(root: Path, *arguments: str) -> tuple[int, dict[str, object]]:
    done = ics_guard(root, "gate", "--json", *arguments)
    return done.returncode, json.loads(done.stdout)


def codes(document: dict[str, object]) -> list[str]:
    reasons = document["reasons"]
    assert isinstance(reasons, list)
    return [reason["code"] for reason in reasons]


def backups(document: dict[str, object]) -> list[dict[str, str]]:
    found = document["backups"]
    assert isinstance(found, list)
    return found


def stage_sql(root: Path, statement: str = "ALTER TABLE episodes ADD COLUMN rating INTEGER;\n") -> None:
    (root / "migrations" / "0002.sql").write_text(statement)
    git(root, "add", "-A")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repo")


@pytest.fixture
def strict(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repo", config=SQL_CONFIG + REFUSE)


def test_nothing_schema_impacting_passes_without_a_trace(root: Path) -> None:
    (root / "README").write_text("words")
    git(root, "add", "-A")
    assert gate(root) == (0, {"schema_version": 1, "verdict": "allow", "reasons": [], "changes": [], "backups": []})
    assert not (root / "backups").exists()


def test_a_change_without_a_backup_gets_one_and_passes(root: Path) -> None:
    stage_sql(root)
    code, document = gate(root)
    assert (code, document["verdict"]) == (0, "allow")
    (backup,) = backups(document)
    assert backup["verified"]
    events = [entry.event for entry in ledger.read(open_project(root).store)]
    assert events == ["backup", "drill", "gate"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_where_policy_says_refuse_it_is_held_and_the_command_shown_mends_it(strict: Path, form: str) -> None:
    stage_sql(strict)
    code, document = gate(strict)
    assert (code, codes(document)) == (1, ["no-backup"])
    done = ics_guard(strict, "gate")
    assert done.returncode == 1
    assert "held" in done.stdout
    assert "migrations/0002.sql:1" in done.stdout
    (fix,) = {reason["fix"] for reason in document["reasons"]}  # type: ignore[attr-defined]
    assert fix in done.stdout
    assert ics_guard(strict, *fix.split()[1:]).returncode == 0
    assert gate(strict)[0] == 0


def test_a_write_after_the_backup_makes_it_stale(strict: Path) -> None:
    assert ics_guard(strict, "backup").returncode == 0
    stage_sql(strict)
    assert gate(strict)[0] == 0
    execute(strict / "data" / "app.db", "INSERT INTO episodes (title) VALUES ('since')")
    assert codes(gate(strict)[1]) == ["changed-since"]


def test_a_read_after_the_backup_does_not_make_it_stale(strict: Path) -> None:
    with child(HOLDER, strict / "data" / "app.db") as holder:
        assert ics_guard(strict, "backup").returncode == 0
        stage_sql(strict)
        ask(holder, "SELECT count(*) FROM segments")
        assert gate(strict)[0] == 0


def test_where_policy_does_not_ask_for_the_present_state_a_write_does_not_matter(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo", config=SQL_CONFIG + REFUSE + "current = false\n")
    assert ics_guard(root, "backup").returncode == 0
    execute(root / "data" / "app.db", "INSERT INTO episodes (title) VALUES ('since')")
    stage_sql(root)
    assert gate(root)[0] == 0


def test_an_old_backup_is_stale(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo", config=SQL_CONFIG + REFUSE + "rpo = '1s'\n")
    assert ics_guard(root, "backup").returncode == 0
    stage_sql(root)
    import time  # noqa: PLC0415

    time.sleep(1.1)
    assert codes(gate(root)[1]) == ["stale"]


def test_a_backup_whose_file_is_gone_is_no_way_back(strict: Path) -> None:
    assert ics_guard(strict, "backup").returncode == 0
    for path in (strict / "backups" / "sqlite").glob("*.zst"):
        path.unlink()
    stage_sql(strict)
    assert codes(gate(strict)[1]) == ["files-missing"]


def test_a_backup_that_failed_a_later_drill_is_no_way_back(strict: Path) -> None:
    assert ics_guard(strict, "backup").returncode == 0
    (path,) = (strict / "backups" / "sqlite").glob("*.zst")
    raw = path.read_bytes()
    path.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    assert ics_guard(strict, "drill").returncode == 3
    stage_sql(strict)
    assert codes(gate(strict)[1]) == ["not-verified"]


def test_an_edited_ledger_holds_everything(strict: Path) -> None:
    assert ics_guard(strict, "backup").returncode == 0
    stage_sql(strict)
    path = strict / "backups" / "ledger" / "00000002.json"
    path.write_text(path.read_text().replace('"ok": true', '"ok":  true').replace("local", "lokal"))
    assert codes(gate(strict)[1])[0] == "ledger-broken"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda live: live.write_bytes(b""), "source-empty"),
        (lambda live: live.write_bytes(b"not a database at all" * 50), "not-a-database"),
        (lambda live: live.unlink(), "source-lost"),
    ],
)
def test_data_that_was_here_and_is_not_any_more_is_not_nothing_to_protect(root: Path, spoil, code: str) -> None:  # type: ignore[no-untyped-def]
    assert ics_guard(root, "backup").returncode == 0
    before = dump(root / "data" / "app.db")
    spoil(root / "data" / "app.db")
    stage_sql(root)
    result, document = gate(root)
    assert result == 1
    assert codes(document)[0] == code
    assert ics_guard(root, "restore", "latest", "--yes").returncode == 0
    assert dump(root / "data" / "app.db") == before


def test_a_change_that_nothing_but_the_store_is_lost_for_is_told(root: Path) -> None:
    assert ics_guard(root, "backup").returncode == 0
    shutil.rmtree(root / "backups")
    stage_sql(root)
    code, document = gate(root)
    assert code == 0
    assert "ledger-lost" in codes(document)
    assert json.loads(ics_guard(root, "status", "--json").stdout)["notes"][0]["code"] == "ledger-lost"
    assert ics_guard(root, "ledger", "verify").returncode == 3
    assert ics_guard(root, "init", "--yes").returncode == 0
    assert json.loads(ics_guard(root, "status", "--json").stdout)["notes"] == []
    assert ics_guard(root, "ledger", "verify").returncode == 0


def test_after_git_clean_the_loss_is_named(root: Path) -> None:
    assert ics_guard(root, "backup").returncode == 0
    git(root, "clean", "-xfdq")
    stage_sql(root)
    code, document = gate(root)
    assert (code, codes(document)) == (1, ["source-lost", "ledger-lost"])


def test_a_fresh_clone_without_data_asks_for_init_and_passes_after_it(root: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(root), str(clone))
    stage_sql(clone)
    code, document = gate(clone)
    assert (code, codes(document)) == (1, ["never-seen"])
    assert "ics-guard init" in document["reasons"][0]["fix"]  # type: ignore[index]
    assert ics_guard(clone, "init", "--yes").returncode == 0
    code, document = gate(clone)
    assert (code, codes(document)) == (0, ["no-data"])


def test_a_required_environment_never_passes_for_want_of_data(tmp_path: Path) -> None:
    config = SQL_CONFIG.replace("[env.local]\n", "[env.local]\nrequired = true\n")
    root = make_repository(tmp_path / "repo", config=config, rows=0)
    ics_guard(root, "init", "--yes")
    stage_sql(root)
    code, document = gate(root)
    assert (code, codes(document)) == (1, ["evidence-needed"])


def test_a_watched_path_that_no_source_answers_for_is_an_error(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo", config=SQL_CONFIG + 'guards = ["elsewhere/**"]\n')
    stage_sql(root)
    code, document = gate(root)
    assert (code, codes(document)) == (1, ["unguarded-path"])


def test_a_tracked_database_is_refused(root: Path) -> None:
    git(root, "add", "-f", "data/app.db")
    stage_sql(root)
    assert codes(gate(root)[1]) == ["source-tracked"]


def test_a_mistyped_path_is_not_called_a_loss(root: Path) -> None:
    assert ics_guard(root, "backup").returncode == 0
    (root / "ics-guard.toml").write_text(SQL_CONFIG.replace("data/app.db", "data/ap.db"))
    stage_sql(root)
    code, document = gate(root)
    assert (code, codes(document)[0]) == (1, "path-changed")
    git(root, "commit", "-qm", "mistyped", "--no-verify")
    (root / "ics-guard.toml").write_text(SQL_CONFIG)
    (root / "migrations" / "0003.sql").write_text("CREATE TABLE more (x);\n")
    git(root, "add", "-A")
    assert gate(root)[0] == 0, "the commit that mends the path is not held by the path it mends"


def test_a_locked_database_is_no_reason_to_restore(strict: Path) -> None:
    execute(strict / "data" / "app.db", "PRAGMA journal_mode=DELETE")
    stage_sql(strict)
    with child(HOLDER, strict / "data" / "app.db") as holder:
        ask(holder, "BEGIN EXCLUSIVE")
        code, document = gate(strict)
        assert (code, codes(document)) == (1, ["source-locked"])
        assert str(holder.pid) in str(document)
        assert "restore" not in str(document)


def test_an_unknown_rule_is_an_error_that_names_the_nearest(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo", config=SQL_CONFIG + '[policy.rules]\n"sql.drop_colum" = "notice"\n')
    stage_sql(root)
    done = ics_guard(root, "gate")
    assert done.returncode == 2
    assert "sql.drop_column" in done.stderr


def test_a_linked_worktree_shares_data_and_store(root: Path, tmp_path: Path) -> None:
    assert ics_guard(root, "backup").returncode == 0
    linked = tmp_path / "linked"
    git(root, "worktree", "add", "-q", str(linked), "-b", "other")
    stage_sql(linked)
    code, document = gate(linked)
    assert code == 0, document
    (backup,) = backups(document)
    assert backup["id"] in {path.name.split(".")[0] for path in (root / "backups" / "sqlite").iterdir()}
    assert not (linked / "backups").exists()


def test_a_read_only_ledger_gives_the_same_verdict(root: Path) -> None:
    assert ics_guard(root, "backup").returncode == 0
    stage_sql(root)
    shutil.rmtree(root / "backups" / ".incoming")
    (root / "backups" / ".incoming").write_text("in the way")
    code, document = gate(root)
    assert (code, codes(document)) == (0, ["not-recorded"])


def test_a_backup_that_cannot_be_made_blocks_with_its_cause(root: Path) -> None:
    (root / "backups").write_text("in the way")
    (root / ".git" / "info" / "exclude").write_text("/backups\n")
    stage_sql(root)
    code, document = gate(root)
    assert code == 1
    assert set(codes(document)) & {"store-failed", "store-not-writable"}


def test_a_deploy_asks_for_a_fresh_way_back_even_without_changes(strict: Path) -> None:
    assert gate(strict)[0] == 0
    code, document = gate(strict, "--deploy")
    assert (code, codes(document)) == (1, ["no-backup"])
    ics_guard(strict, "backup")
    assert gate(strict, "--deploy")[0] == 0


def test_a_deploy_without_the_data_is_sent_to_where_it_is(root: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(root), "clone")
    code, document = gate(tmp_path / "clone", "--deploy")
    assert (code, codes(document)) == (1, ["never-seen"])
    assert "attest" not in str(document["reasons"]), "no evidence makes a way back fresh"


def test_a_watched_symbolic_link_cannot_hide_what_it_leads_to(strict: Path) -> None:
    (strict / "elsewhere.txt").write_text("DROP TABLE segments;\n")
    (strict / "migrations" / "0002.sql").symlink_to("../elsewhere.txt")
    git(strict, "add", "-A")
    assert gate(strict)[0] == 1


def test_the_same_content_gets_the_same_verdict_staged_and_as_a_range(strict: Path) -> None:
    stage_sql(strict)
    code, staged = gate(strict)
    git(strict, "commit", "-qm", "change", "--no-verify")
    ranged = gate(strict, "--range", "HEAD~1..HEAD")
    assert (code, staged) == (ranged[0], {key: value for key, value in ranged[1].items() if key != "range"})
    assert gate(strict, "--from-ref", "HEAD~1", "--to-ref", "HEAD") == ranged


@pytest.mark.parametrize(
    "loosened",
    [
        SQL_CONFIG + '[policy]\nrequire_backup = []\non_missing = "refuse"\n',
        SQL_CONFIG.replace("[watch]", '[watch]\nexclude = ["migrations/**"]') + REFUSE,
        SQL_CONFIG.replace('sql = ["migrations/*.sql"]', "") + REFUSE,
        SQL_CONFIG + "gate = false\n" + REFUSE,
        SQL_CONFIG + 'guards = ["nothing"]\n' + REFUSE,
    ],
)
def test_a_commit_cannot_loosen_its_own_gate(strict: Path, loosened: str) -> None:
    stage_sql(strict)
    (strict / "ics-guard.toml").write_text(loosened)
    git(strict, "add", "-A")
    code, document = gate(strict)
    assert code == 1
    assert {"no-backup", "unguarded-path"} & set(codes(document))
    assert ics_guard(strict, "hook", "pre-commit").returncode == 1
    assert ics_guard(strict, "backup", "db").returncode == 0
    if "guards" not in loosened and "gate =" not in loosened:
        assert gate(strict)[0] == 0


# Alembic: what was applied before it was committed.


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_alembic_repository(tmp_path / "repo")


def test_a_migration_that_is_not_applied_asks_for_a_fresh_backup(project: Path) -> None:
    write_revision(project, "0003", ADD_COLUMN)
    code, document = gate(project)
    assert code == 0
    assert "already-applied" not in codes(document)
    assert document["backups"]


def test_a_migration_applied_first_rests_on_the_backup_from_before_it(project: Path) -> None:
    write_revision(project, "0003", DROP_COLUMN)
    done = alembic(project, "upgrade", "head")
    assert done.returncode == 0, done.stderr
    assert "way back" in done.stderr
    assert ics_guard(project, "backup", "--full").returncode == 0
    code, document = gate(project)
    assert (code, codes(document)) == (0, ["already-applied"])
    (way_back,) = backups(document)
    assert ics_guard(project, "restore", way_back["id"], "--yes").returncode == 0
    assert query(project / "data" / "podcast.db", "SELECT version_num FROM alembic_version") == [("0002",)]
    assert query(project / "data" / "podcast.db", "SELECT count(notes) FROM episodes") != [(0,)]


def apply_without_guard(project: Path) -> None:
    env = project / "migrations" / "env.py"
    text = env.read_text()
    env.write_text(text.replace("guard(context)", ""))
    assert alembic(project, "upgrade", "head").returncode == 0
    env.write_text(text)


def test_a_destructive_migration_applied_without_a_way_back_is_held_until_waived(project: Path) -> None:
    write_revision(project, "0003", DROP_COLUMN)
    apply_without_guard(project)
    assert ics_guard(project, "backup").returncode == 0, "a backup of the later state is no way back"
    code, document = gate(project)
    assert code == 1
    assert "applied-unprotected" in codes(document)
    done = ics_guard(project, "waive", "--reason", "the notes were empty anyway")
    assert done.returncode == 0, done.stderr
    assert gate(project)[0] == 1, "a waiver counts once it is in the commit"
    git(project, "add", ".ics-guard")
    code, document = gate(project)
    assert (code, codes(document)) == (0, ["waived"])
    write_revision(project, "0004", "op.drop_table('segments')", after="0003")
    assert gate(project)[0] == 0, "another change is not applied yet: a fresh backup answers for it"


def test_a_waiver_is_void_for_another_change_another_environment_and_after_its_time(project: Path) -> None:
    write_revision(project, "0003", DROP_COLUMN)
    apply_without_guard(project)
    assert ics_guard(project, "waive", "--reason", "old", "--until", "2020-01-01").returncode == 2
    assert ics_guard(project, "waive", "--reason", "old", "--until", "2120-01-01").returncode == 0
    (path,) = (project / ".ics-guard" / "evidence").iterdir()
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "until": "2020-01-01T00:00:00Z"}))
    git(project, "add", ".ics-guard")
    assert gate(project)[0] == 1
    path.write_text(json.dumps({**document, "env": "prod"}))
    git(project, "add", ".ics-guard")
    assert gate(project)[0] == 1
    path.write_text(json.dumps(document))
    git(project, "add", ".ics-guard")
    assert gate(project)[0] == 0
    write_revision(project, "0003", DROP_COLUMN.replace("notes", "title"))
    assert gate(project)[0] == 1


def test_an_additive_migration_applied_without_a_way_back_passes_and_is_recorded(project: Path) -> None:
    write_revision(project, "0003", ADD_COLUMN)
    apply_without_guard(project)
    code, document = gate(project)
    assert code == 0
    assert "applied-unprotected" in codes(document)
    newest = ledger.read(open_project(project).store)[-1]
    assert "applied-unprotected" in [reason["code"] for reason in newest.data["reasons"]]


def test_a_backup_of_another_work_trees_database_is_no_way_back_of_this_one(project: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    git(project, "worktree", "add", "-q", str(linked), "-b", "other")
    (linked / "data").mkdir()
    assert alembic(linked, "upgrade", "head").returncode == 0
    execute(linked / "data" / "podcast.db", "INSERT INTO episodes (title) VALUES ('the only row here')")
    assert ics_guard(linked, "backup").returncode == 0
    write_revision(project, "0003", DROP_COLUMN)
    apply_without_guard(project)
    code, document = gate(project)
    assert code == 1
    assert "applied-unprotected" in codes(document)
    assert json.loads(ics_guard(project, "restore", "--dry-run", "--json").stdout)["backup"].startswith("podcast_")
    status = json.loads(ics_guard(linked, "status", "--json").stdout)
    assert status["sources"][0]["fresh"]


def test_a_database_at_a_revision_that_nobody_has_cannot_slip_a_destructive_change_through(project: Path) -> None:
    write_revision(project, "0003", 'op.execute("DELETE FROM segments")')
    apply_without_guard(project)
    git(project, "rm", "-qf", "migrations/versions/0003_test.py")
    write_revision(project, "0003b", 'op.execute("DELETE FROM segments")')
    code, document = gate(project)
    assert code == 1
    assert "cannot-tell" in codes(document)
    assert ics_guard(project, "waive", "--reason", "they were empty").returncode == 0
    git(project, "add", ".ics-guard")
    assert gate(project)[0] == 0


def test_severities_and_what_needs_a_backup_follow_the_policy(tmp_path: Path) -> None:
    config = CONFIG + '[policy]\non_missing = "refuse"\nrequire_backup = ["destructive"]\n'
    project = make_alembic_repository(tmp_path / "repo", config=config)
    write_revision(project, "0003", ADD_COLUMN)
    assert gate(project)[0] == 0
    (project / "ics-guard.toml").write_text(config + '[policy.rules]\n"alembic.add_column" = "destructive"\n')
    assert gate(project)[0] == 1


CODE_CONFIG = """\
version = 1
[watch]
embedded = ["src/*.rs"]
[env.local.sources.db]
path = "data/app.db"
"""
TABLES = ["CREATE TABLE a (id INTEGER)", "CREATE TABLE b (id INTEGER)", "DROP TABLE c"]


def rust(*statements: str) -> str:
    return "fn migrate(db: &Db) {\n" + "".join(f'    db.execute("{one}");\n' for one in statements) + "}\n"


@pytest.mark.parametrize(
    ("after", "rules"),
    [
        ({"one.rs": TABLES[:1], "two.rs": TABLES[1:]}, []),
        ({"two.rs": TABLES[:2], "three.rs": TABLES[2:]}, []),
        ({"two.rs": TABLES[:2]}, ["sql.statement_removed"]),
        ({"two.rs": ["CREATE TABLE d (id INTEGER)"]}, ["sql.create_table", "sql.file_deleted"]),
        ({"one.rs": TABLES[:1], "two.rs": TABLES[1:2]}, ["sql.statement_removed"]),
        ({"one.rs": TABLES, "two.rs": TABLES[:1]}, ["sql.create_table"]),
    ],
)
def test_ddl_that_only_moved_between_files_of_code_is_no_change(
    tmp_path: Path, after: dict[str, list[str]], rules: list[str]
) -> None:
    project = make_repository(tmp_path / "repo", config=CODE_CONFIG, rows=0)
    (project / "src").mkdir()
    (project / "src" / "one.rs").write_text(rust(*TABLES))
    git(project, "add", "-A")
    git(project, "commit", "-qm", "code")
    (project / "src" / "one.rs").unlink()
    for name, statements in after.items():
        (project / "src" / name).write_text(rust(*statements))
    git(project, "add", "-A")
    found = json.loads(ics_guard(project, "check", "--json").stdout)["changes"]
    assert sorted(change["rule"] for change in found) == rules
