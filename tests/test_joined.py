"""What a branch becomes with its target, and what only the merge of the two brings."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.alembic_support import ADD_COLUMN, make_alembic_repository, write_revision
from tests.gate_support import DROP, MALLORY, REFUSE, checked, codes, configure, judged, rules, stage
from tests.support import CONFIG, git, ics_guard, make_repository


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repo", config=REFUSE)


def test_the_branch_that_a_change_is_to_join_has_its_say_though_it_moved_on(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repo", config=CONFIG, rows=0)
    git(repository, "switch", "-qc", "work")
    stage(repository, **{"migrations__0002.sql": DROP})
    assert ics_guard(repository, "waive", "--reason", "x").returncode == 0
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "drop", "--no-verify")
    assert judged(repository, "--range", "main..work")[0] == 0
    git(repository, "switch", "-q", "main")
    configure(repository, CONFIG + '[policy]\nwaivers = "refuse"\n')
    git(repository, "commit", "-qm", "no waivers", "--no-verify")
    git(repository, "switch", "-q", "work")
    code, document = judged(repository, "--range", "main..work")
    assert (code, rules(document)) == (1, ["sql.drop_table"]), "held, and an older branch loosens nothing"


def test_two_branches_that_are_fine_alone_and_not_together_are_told(tmp_path: Path) -> None:
    project = make_alembic_repository(tmp_path / "project")
    for branch, revision in (("mine", "0003a"), ("theirs", "0003b")):
        git(project, "switch", "-qc", branch, "main")
        write_revision(project, revision, ADD_COLUMN)
        git(project, "add", "-A")
        git(project, "commit", "-qm", branch, "--no-verify")
    found = [change["rule"] for change in checked(project, "main..mine")]
    assert "alembic.second_head" not in found
    git(project, "switch", "-q", "main")
    git(project, "merge", "-q", "theirs", "--no-verify")
    (head,) = [change for change in checked(project, "main..mine") if change["rule"] == "alembic.second_head"]
    assert (head["object"], "stands beside 0003b" in head["reason"]) == ("0003a", True)


def test_what_only_the_merge_brings_is_judged(tmp_path: Path) -> None:
    """A branch that undid something is merged; another one from before that says it again, which is no diff of it."""
    repository = make_repository(tmp_path / "repo", rows=0)
    between = "".join(f"-- line {number}\n" for number in range(9))

    def commit(text: str) -> None:
        (repository / "migrations" / "0002.sql").write_text(text)
        git(repository, "add", "-A")
        git(repository, "commit", "-qm", "step", "--no-verify")

    commit(between)
    git(repository, "switch", "-qc", "first")
    commit(DROP + between)
    commit(between)
    assert checked(repository, "main..first") == []
    git(repository, "switch", "-q", "main")
    git(repository, "merge", "-q", "--no-ff", "-m", "first", "first", "--no-verify")
    git(repository, "switch", "-qc", "second", "first^")
    commit(between + DROP)
    found = checked(repository, "main..second")
    assert [(change["path"], change["rule"]) for change in found] == [("migrations/0002.sql", "sql.drop_table")]


def test_nobody_comes_to_sign_by_the_merge_alone(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repo", rows=0)
    signers = repository / ".ics-guard" / "allowed_signers"
    signers.parent.mkdir()
    signers.write_text("# who may sign\n" * 9)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "signers", "--no-verify")
    git(repository, "switch", "-qc", "first")
    signers.write_text(MALLORY + "# who may sign\n" * 9)
    git(repository, "commit", "-qam", "done", "--no-verify")
    middle = git(repository, "rev-parse", "HEAD").stdout.strip()
    git(repository, "checkout", "-q", "main", "--", ".ics-guard")
    git(repository, "commit", "-qm", "undone", "--no-verify")
    git(repository, "switch", "-q", "main")
    git(repository, "merge", "-q", "--no-ff", "-m", "first", "first", "--no-verify")
    git(repository, "switch", "-qc", "second", middle)
    signers.write_text(MALLORY + "# who may sign\n" * 9 + MALLORY)
    git(repository, "commit", "-qam", "again", "--no-verify")
    assert [change["rule"] for change in checked(repository, "main..second")] == ["config.signer"]


def test_a_git_that_cannot_merge_by_itself_passes_nothing(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git before 2.38, of which there is none here: one that knows merge-tree as they do stands before the real one."""
    git(repository, "switch", "-qc", "work")
    stage(repository, notes="x")
    git(repository, "commit", "-qm", "work", "--no-verify")
    git(repository, "switch", "-q", "main")
    stage(repository, other="x")
    git(repository, "commit", "-qm", "moved on", "--no-verify")
    assert judged(repository, "--range", "main..work")[0] == 0
    older = tmp_path / "bin" / "git"
    older.parent.mkdir()
    older.write_text(
        f'#!/bin/sh\nfor word; do [ "$word" = merge-tree ] && exit 129; done\nexec {shutil.which("git")} "$@"\n'
    )
    older.chmod(0o755)
    monkeypatch.setenv("PATH", f"{older.parent}:{os.environ['PATH']}")
    code, document = judged(repository, "--range", "main..work")
    assert (code, codes(document)) == (1, ["cannot-merge"])
    assert "2.38" in document["reasons"][0]["fix"]


def test_how_a_branch_says_that_files_are_merged_hides_nothing(tmp_path: Path) -> None:
    """Its .gitattributes may make a conflict of a merge that is none for anybody else."""
    repository = make_repository(tmp_path / "repo", rows=0)
    between = "".join(f"-- line {number}\n" for number in range(9))

    def commit(**files: str) -> None:
        stage(repository, **files)
        git(repository, "commit", "-qm", "step", "--no-verify")

    commit(**{"migrations/a.sql": between})
    git(repository, "switch", "-qc", "first")
    commit(**{"migrations/a.sql": DROP + between})
    commit(**{"migrations/a.sql": between})
    git(repository, "switch", "-q", "main")
    git(repository, "merge", "-q", "--no-ff", "-m", "first", "first", "--no-verify")
    git(repository, "switch", "-qc", "second", "first^")
    commit(**{"migrations/a.sql": between + DROP, ".gitattributes": "*.sql -merge\n"})
    assert "sql.drop_table" in [change["rule"] for change in checked(repository, "main..second")]


def test_a_branch_from_before_the_configuration_is_judged_by_that_of_its_target(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repo", rows=0)
    git(repository, "rm", "-q", "--cached", "ics-guard.toml")
    (repository / "ics-guard.toml").rename(tmp_path / "kept")
    git(repository, "commit", "-qm", "before", "--no-verify")
    git(repository, "switch", "-qc", "topic")
    stage(repository, **{"migrations/0002.sql": DROP})
    git(repository, "commit", "-qm", "drop", "--no-verify")
    git(repository, "switch", "-q", "main")
    stage(repository, **{"ics-guard.toml": (tmp_path / "kept").read_text()})
    git(repository, "commit", "-qm", "configuration", "--no-verify")
    git(repository, "switch", "-q", "topic")
    assert not (repository / "ics-guard.toml").exists()
    assert [change["rule"] for change in checked(repository, "main..topic")] == ["sql.drop_table"]
