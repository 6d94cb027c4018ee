"""Both hook styles, end to end with real git: held, passed, chained, incoming, missing and broken."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ics_guard import ledger
from ics_guard.project import open_project
from tests.alembic_support import ADD_COLUMN, DROP_COLUMN, make_alembic_repository, write_revision
from tests.alembic_support import CONFIG as ALEMBIC_CONFIG
from tests.checkout import Checkout
from tests.support import CONFIG, HOLDER, ask, child, execute, git, ics_guard, make_repository, on_a_disk

STRICT = '[policy]\non_missing = "refuse"\n'
NEW_TABLE = "CREATE TABLE ratings (id INTEGER PRIMARY KEY);\n"
ROOT = Path(__file__).resolve().parent.parent


def use_framework(root: Path) -> None:
    """The framework's own way, but for the virtual environment: the hooks of .pre-commit-hooks.yaml, run from here."""
    hooks = (ROOT / ".pre-commit-hooks.yaml").read_text()
    local = hooks.replace("language: python", "language: system").replace(
        "entry: ics-guard", f"entry: {sys.executable} -P -m ics_guard"
    )
    indented = "".join(f"      {line}\n" for line in local.splitlines() if not line.startswith("#"))
    indented = "".join(line for line in indented.splitlines(True) if "minimum_pre_commit_version" not in line)
    (root / ".pre-commit-config.yaml").write_text(f"repos:\n  - repo: local\n    hooks:\n{indented}")
    types = ["pre-commit", "pre-merge-commit", "pre-push", "post-merge", "post-checkout", "post-rewrite"]
    flags = [flag for name in types for flag in ("--hook-type", name)]
    subprocess.run([sys.executable, "-m", "pre_commit", "install", *flags], cwd=root, check=True, capture_output=True)
    git(root, "add", ".pre-commit-config.yaml")
    git(root, "commit", "-qm", "framework", "--no-verify")


@pytest.fixture(params=["native", "framework"])
def strict(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A repository that refuses without a backup, guarded in one style or the other, with a remote."""
    root = make_repository(tmp_path / "repo", config=CONFIG + STRICT)
    if request.param == "native":
        assert ics_guard(root, "install").returncode == 0
    else:
        use_framework(root)
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(root, "remote", "add", "origin", str(tmp_path / "remote.git"))
    git(root, "push", "-q", "--no-verify", "origin", "main")
    git(root, "fetch", "-q")
    return root


def stage(root: Path, name: str = "0002.sql", text: str = NEW_TABLE) -> None:
    (root / "migrations" / name).write_text(text)
    git(root, "add", "-A")


def head(root: Path) -> str:
    return git(root, "rev-parse", "HEAD").stdout


def commit(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return git(root, "commit", "-qm", "change", *arguments, check=False)


def test_a_commit_is_held_and_passes_after_the_command_it_names(strict: Path) -> None:
    stage(strict)
    before = head(strict)
    done = commit(strict)
    assert done.returncode == 1
    said = done.stderr + done.stdout
    assert "this commit is held" in said
    assert "do:  ics-guard backup db" in said
    assert head(strict) == before
    assert ics_guard(strict, "backup", "db").returncode == 0
    assert commit(strict).returncode == 0
    assert head(strict) != before


def test_what_is_not_schema_impacting_passes(strict: Path) -> None:
    (strict / "README").write_text("words")
    git(strict, "add", "-A")
    assert commit(strict).returncode == 0
    stage(strict, "0001.sql", "-- a comment\ncreate table episodes (\n  id integer primary key\n);\n")
    done = commit(strict)
    assert done.returncode == 0, done.stderr


def test_a_deleted_migration_is_seen(strict: Path) -> None:
    git(strict, "rm", "-q", "migrations/0001.sql")
    assert commit(strict).returncode == 1


@pytest.mark.parametrize("flags", [["-a"], ["--only", "migrations/0001.sql"], ["--amend", "-a"]])
def test_the_ways_to_commit_are_all_seen(strict: Path, flags: list[str]) -> None:
    path = strict / "migrations" / "0001.sql"
    path.write_text(path.read_text() + NEW_TABLE)
    assert commit(strict, *flags).returncode == 1
    assert ics_guard(strict, "backup").returncode == 0
    assert commit(strict, *flags).returncode == 0


def test_a_merge_is_held(strict: Path) -> None:
    git(strict, "switch", "-qc", "other")
    stage(strict)
    commit(strict, "--no-verify")
    git(strict, "switch", "-q", "main")
    (strict / "README").write_text("words")
    git(strict, "add", "-A")
    commit(strict)
    before = head(strict)
    execute(strict / "data" / "app.db", "INSERT INTO episodes (title) VALUES ('since')")
    assert git(strict, "merge", "-q", "other", "-m", "merge", check=False).returncode == 1
    assert head(strict) == before
    assert ics_guard(strict, "backup").returncode == 0
    assert git(strict, "commit", "-qm", "merge", check=False).returncode == 0


def test_a_merge_that_passes_is_not_told_twice(strict: Path) -> None:
    git(strict, "switch", "-qc", "other")
    stage(strict)
    commit(strict, "--no-verify")
    git(strict, "switch", "-q", "main")
    (strict / "README").write_text("words")
    git(strict, "add", "-A")
    commit(strict)
    assert ics_guard(strict, "backup").returncode == 0
    done = git(strict, "merge", "-q", "other", "-m", "merge")
    assert "schema change came in" not in done.stderr + done.stdout
    time.sleep(1.1)  # git's log counts in seconds
    git(strict, "reset", "-q", "--hard", "HEAD~1")
    done = git(strict, "merge", "-q", "--no-verify", "other", "-m", "merge")
    assert "1 schema change came in" in done.stderr + done.stdout


def test_a_push_of_what_was_committed_without_the_hook_is_held(strict: Path) -> None:
    stage(strict)
    assert commit(strict, "--no-verify").returncode == 0
    done = git(strict, "push", "-q", "origin", "main", check=False)
    assert done.returncode != 0
    assert "this push is held" in done.stderr + done.stdout
    assert git(strict, "ls-remote", "origin", "main").stdout.split()[0] != head(strict).strip()
    assert ics_guard(strict, "backup").returncode == 0
    assert git(strict, "push", "-q", "origin", "main", check=False).returncode == 0


def test_a_push_of_several_branches_looks_at_all_of_them(strict: Path) -> None:
    (strict / "README").write_text("words")
    git(strict, "add", "-A")
    commit(strict)
    git(strict, "switch", "-qc", "other")
    stage(strict)
    commit(strict, "--no-verify")
    assert git(strict, "push", "-q", "origin", "main", "other", check=False).returncode != 0
    assert git(strict, "push", "-q", "origin", ":nothing", check=False).returncode != 0
    git(strict, "push", "-q", "--no-verify", "origin", "other")
    assert git(strict, "push", "-q", "origin", "--delete", "other", check=False).returncode == 0


def test_the_hook_changes_no_file_that_git_knows(strict: Path) -> None:
    stage(strict)
    commit(strict)
    ics_guard(strict, "backup")
    commit(strict)
    assert git(strict, "status", "--porcelain").stdout == ""


def test_a_migration_that_a_pull_brings_is_seen_and_protected(tmp_path: Path) -> None:
    origin = make_repository(tmp_path / "origin")
    git(tmp_path, "clone", "-q", str(origin), "clone")
    clone = tmp_path / "clone"
    shutil.copytree(origin / "data", clone / "data")
    assert ics_guard(clone, "init", "--yes").returncode == 0
    execute(clone / "data" / "app.db", "INSERT INTO episodes (title) VALUES ('since')")
    stage(origin)
    commit(origin)
    done = git(clone, "pull", "-q")
    assert "1 schema change came in; the way back to before them is app_" in done.stderr
    store = open_project(clone).store
    assert [entry.event for entry in ledger.read(store)][-3:] == ["backup", "drill", "incoming"]
    assert "came in" not in git(clone, "switch", "-q", "--detach", "HEAD~1").stderr, "nothing comes in on the way back"
    assert "1 schema change came in" in git(clone, "switch", "-q", "main").stderr


def test_a_squashed_merge_brings_migrations_and_a_new_worktree_does_not(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo")
    assert ics_guard(root, "install").returncode == 0
    git(root, "switch", "-qc", "other")
    stage(root)
    commit(root, "--no-verify")
    git(root, "switch", "-q", "main")
    done = git(root, "merge", "-q", "--squash", "other")
    assert "1 schema change came in" in done.stderr
    git(root, "reset", "-q", "--hard")
    assert "came in" not in git(root, "worktree", "add", "-q", str(tmp_path / "linked"), "other").stderr


TROUBLES = {
    "the store is in the way": "rm -rf backups && echo x > backups",
    "the database cannot be read": "echo 'no database at all, but long enough' > data/app.db",
    "the database is locked away": "rm data/app.db && mkdir data/app.db",
    "the configuration is broken": "echo 'broken [' > .git/ics-guard/ics-guard.toml && rm ics-guard.toml",
    "the memory is no folder": "rm -rf .git/ics-guard && echo x > .git/ics-guard",
    "a package is broken": "mkdir .git/first && echo 'def main(: broken' > .git/first/typer.py",
    "somebody presses ^C": "mkdir .git/first && echo 'import os; os.kill(os.getpid(), 2)' > .git/first/typer.py",
}


@pytest.mark.parametrize(
    ("style", "trouble"),
    [
        *(("native", one) for one in TROUBLES),
        ("framework", "a package is broken"),
        ("framework", "somebody presses ^C"),
    ],
)
def test_incoming_trouble_never_fails_git_and_is_told(tmp_path: Path, style: str, trouble: str) -> None:
    root = make_repository(tmp_path / "repo")
    if style == "native":
        assert ics_guard(root, "install").returncode == 0
    else:
        use_framework(root)
    git(root, "switch", "-qc", "feature")
    stage(root)
    commit(root, "--no-verify")
    git(root, "switch", "-q", "main")
    subprocess.run(["sh", "-ec", TROUBLES[trouble]], cwd=root, check=True)
    path = os.pathsep.join([str(root / ".git" / "first"), *sys.path])
    done = Checkout(root).run("git", "switch", "-q", "-f", "feature", check=False, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert "ics-guard" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.parametrize("lost", [False, True])
def test_what_came_in_where_there_is_no_data_says_so(tmp_path: Path, lost: bool) -> None:
    root = make_repository(tmp_path / "repo")
    assert ics_guard(root, "install").returncode == 0
    if lost:
        assert ics_guard(root, "backup").returncode == 0
    git(root, "switch", "-qc", "feature")
    stage(root)
    commit(root, "--no-verify")
    shutil.move(root / "data" / "app.db", tmp_path / "moved")
    git(root, "switch", "-q", "main")
    told = git(root, "switch", "-q", "feature").stderr
    assert ("is GONE; to have it back: ics-guard restore" if lost else "there is no data here") in told


def test_a_locked_database_keeps_nobody_waiting_after_a_switch(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo", wal=False)
    assert ics_guard(root, "install").returncode == 0
    git(root, "switch", "-qc", "feature")
    stage(root)
    commit(root, "--no-verify")
    git(root, "switch", "-q", "main")
    with child(HOLDER, root / "data" / "app.db") as holder:
        ask(holder, "BEGIN EXCLUSIVE")
        told = git(root, "switch", "-q", "feature").stderr
    assert "no backup could be made" in told
    assert "stayed locked for 3 s" in told


def test_a_full_disk_does_not_fail_git(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo")
    assert ics_guard(root, "install").returncode == 0
    git(root, "switch", "-qc", "feature")
    stage(root)
    commit(root, "--no-verify")
    git(root, "switch", "-q", "main")
    done = on_a_disk(root / "backups", "size=12k", "git", "switch", "-q", "feature")
    assert done.returncode == 0, done.stderr
    assert "1 schema change came in; no backup could be made: " in done.stderr
    assert "is full" in done.stderr or "No space" in done.stderr


def test_a_rebase_brings_migrations_too(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo")
    assert ics_guard(root, "install").returncode == 0
    git(root, "switch", "-qc", "feature")
    (root / "README").write_text("words")
    git(root, "add", "-A")
    commit(root)
    git(root, "switch", "-q", "main")
    stage(root)
    commit(root)
    git(root, "switch", "-q", "feature")
    done = git(root, "rebase", "-q", "main")
    assert "1 schema change came in" in done.stderr, done.stderr


def test_alembic_is_held_at_commit_through_the_real_hook(tmp_path: Path) -> None:
    root = make_alembic_repository(tmp_path / "repo", config=ALEMBIC_CONFIG + STRICT)
    assert ics_guard(root, "install").returncode == 0
    write_revision(root, "0003", DROP_COLUMN)
    done = commit(root)
    assert done.returncode == 1
    assert "destructive drop_column episodes.notes" in done.stderr
    ics_guard(root, "backup")
    assert commit(root).returncode == 0
    write_revision(root, "0004", ADD_COLUMN, after="0003")
    assert commit(root).returncode == 0, "nothing was written since the backup"


def test_an_interrupted_hook_leaves_the_commit_undone(strict: Path) -> None:
    """The hook is killed: git makes no commit, and the next one works as if nothing had been."""
    stage(strict)
    before = head(strict)
    hook = strict / ".git" / "hooks" / "pre-commit"
    text = hook.read_text()
    hook.write_text("#!/bin/sh\nkill -9 $$\n")
    assert commit(strict).returncode != 0
    assert head(strict) == before
    hook.write_text(text)
    ics_guard(strict, "backup")
    assert commit(strict).returncode == 0


def test_the_branch_from_before_the_configuration_can_still_be_committed_to(tmp_path: Path) -> None:
    """An old branch has no ics-guard.toml: what is watched is what this clone knew last."""
    root = make_repository(tmp_path / "repo", config=CONFIG + STRICT)
    git(root, "rm", "-q", "--cached", "ics-guard.toml")
    git(root, "commit", "-q", "--amend", "-m", "no guard yet")
    git(root, "branch", "old")
    git(root, "add", "ics-guard.toml")
    git(root, "commit", "-qm", "guard")
    assert ics_guard(root, "install").returncode == 0
    git(root, "switch", "-q", "old")
    assert not (root / "ics-guard.toml").exists()
    (root / "README").write_text("words")
    git(root, "add", "README")
    done = commit(root)
    assert done.returncode == 0, done.stderr
    stage(root)
    assert commit(root).returncode == 1
    status = ics_guard(root, "status", "--json")
    assert status.returncode == 2
    assert json.loads(status.stdout)["error"]["code"] == "config-missing"
