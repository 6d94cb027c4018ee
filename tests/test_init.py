"""init in fresh repositories: what it proposes, asks, writes, remembers, and leaves alone."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.alembic_support import make_alembic_repository
from tests.support import git, ics_guard, make_database, make_repository


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An Alembic project without a configuration of ours, and a second database that is not its own."""
    root = make_alembic_repository(tmp_path / "repo")
    (root / "ics-guard.toml").unlink()
    git(root, "commit", "-qam", "no guard yet")
    make_database(root / "other.db", rows=5)
    return root


def in_a_terminal(root: Path, answers: str) -> tuple[int, str]:
    """Run init on a pseudo-terminal and type the answers."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "ics_guard", "init"], cwd=root, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.write(ours, answers.encode())
    said = b""
    with process:
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:
                break
            if not piece:
                break
            said += piece
    os.close(ours)
    return process.returncode, said.decode()


def test_it_finds_the_database_by_its_revision_writes_installs_and_backs_up(project: Path) -> None:
    done = ics_guard(project, "init", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    text = (project / "ics-guard.toml").read_text()
    assert 'path = "data/podcast.db"' in text
    assert "alembic.ini" in text
    assert "at revision 0002" in text
    assert "#" in text
    (backup,) = document["backups"]
    assert backup["verified"]
    assert document["hooks"][:3] == ["pre-commit", "pre-merge-commit", "pre-push"]
    for name in document["hooks"]:
        assert os.access(project / ".git" / "hooks" / name, os.X_OK)


def test_what_is_committed_is_not_asked_for_again(project: Path) -> None:
    assert "git commit" in ics_guard(project, "init", "--yes").stdout
    git(project, "add", "ics-guard.toml")
    assert "git commit" not in ics_guard(project, "init", "--yes").stdout


def test_a_second_run_changes_nothing_that_is_right(project: Path) -> None:
    assert ics_guard(project, "init", "--yes").returncode == 0
    before = {path: path.read_bytes() for path in [project / "ics-guard.toml", *(project / ".git" / "hooks").iterdir()]}
    ledger = sorted((project / "backups" / "ledger").iterdir())
    done = ics_guard(project, "init", "--yes", "--json")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert not document["written"]
    assert document["backups"][0]["reused"]
    assert {path: path.read_bytes() for path in before} == before
    assert sorted((project / "backups" / "ledger").iterdir()) == ledger


def test_an_edited_configuration_is_left_alone(project: Path) -> None:
    ics_guard(project, "init", "--yes")
    path = project / "ics-guard.toml"
    path.write_text(path.read_text() + "# mine\n")
    assert ics_guard(project, "init", "--yes").returncode == 0
    assert path.read_text().endswith("# mine\n")


def test_a_second_run_names_the_migrations_that_nothing_watches(project: Path) -> None:
    ics_guard(project, "init", "--yes")
    names = [f"actors/migrations/000{number}_x.py" for number in range(1, 8)]
    for name in names:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(
            "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    x = 1\n"
        )
    done = ics_guard(project, "init", "--yes", "--json")
    assert json.loads(done.stdout)["questions"] == []  # nothing of it is tracked, nor beside what is
    git(project, "add", "-A")
    (question,) = json.loads(ics_guard(project, "init", "--yes", "--json").stdout)["questions"]
    assert "'actors/migrations/0005_x.py' and 2 more" in question
    assert "? no pattern of [watch]" in ics_guard(project, "init", "--yes").stdout
    path = project / "ics-guard.toml"
    path.write_text(path.read_text().replace("[watch]", "[watch]\ndjango = ['*/migrations/*.py']", 1))
    assert json.loads(ics_guard(project, "init", "--yes", "--json").stdout)["questions"] == []


def test_nobody_to_ask_means_nothing_is_written(project: Path) -> None:
    done = ics_guard(project, "init")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert not (project / "ics-guard.toml").exists()
    assert not (project / "backups").exists()
    assert not (project / ".git" / "hooks" / "pre-commit").exists()


def test_it_asks_before_it_writes(project: Path) -> None:
    code, said = in_a_terminal(project, "n\n")
    assert code == 2
    assert "version = 1" in said
    assert not (project / "ics-guard.toml").exists()
    code, said = in_a_terminal(project, "y\n")
    assert code == 0, said
    assert (project / "ics-guard.toml").exists()


def test_what_cannot_be_told_is_asked(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "repo", rows=0)
    (root / "ics-guard.toml").unlink()
    make_database(root / "one.db", rows=3)
    make_database(root / "two.db", rows=4)
    code, said = in_a_terminal(root, "2\ny\n")
    assert code == 0, said
    text = (root / "ics-guard.toml").read_text()
    listed = [line for line in said.splitlines() if line.strip().startswith(("1. ", "2. "))]
    second = listed[1].split()[1]
    assert f'path = "{second}"' in text


def test_a_wrong_configuration_is_an_error_with_a_fix(project: Path) -> None:
    (project / "ics-guard.toml").write_text('version = 1\n[env.local]\nstroe = "x"\n')
    done = ics_guard(project, "init", "--yes")
    assert done.returncode == 2
    assert "store" in done.stderr


def test_the_memory_of_data_outlives_git_clean(project: Path) -> None:
    ics_guard(project, "init", "--yes")
    git(project, "add", "ics-guard.toml")
    git(project, "commit", "-qm", "guard")
    git(project, "clean", "-xfdq")
    status = json.loads(ics_guard(project, "status", "--json").stdout)
    assert [reason["code"] for reason in status["sources"][0]["reasons"]] == ["source-lost"]


def test_with_the_framework_the_hooks_are_left_to_it(project: Path) -> None:
    (project / ".pre-commit-config.yaml").write_text("repos:\n  - repo: x\n    hooks:\n      - id: ics-guard\n")
    done = ics_guard(project, "init", "--yes")
    assert done.returncode == 0, done.stderr
    assert "pre-commit install" in done.stdout
    assert not (project / ".git" / "hooks" / "pre-commit").exists()
    assert (project / "backups" / "ledger").exists()


def test_hooks_that_somebody_else_writes_are_left_to_them_with_advice(project: Path) -> None:
    (project / ".husky" / "_").mkdir(parents=True)
    git(project, "config", "core.hooksPath", ".husky/_")
    done = ics_guard(project, "init", "--yes")
    assert done.returncode == 0, done.stderr
    assert "husky" in done.stdout
    assert (project / "backups" / "ledger").exists()


def test_install_and_uninstall_put_everything_back(project: Path) -> None:
    hook = project / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho mine\n")
    hook.chmod(0o755)
    ics_guard(project, "init", "--yes")
    assert "ics-guard" in hook.read_text()
    done = ics_guard(project, "uninstall")
    assert done.returncode == 0
    assert hook.read_text() == "#!/bin/sh\necho mine\n"
    assert not (project / ".git" / "hooks" / "pre-push").exists()
    assert (project / "backups" / "ledger").exists()
    assert ics_guard(project, "install").returncode == 0
    assert "ics-guard" in hook.read_text()


def test_outside_a_repository_it_says_so(tmp_path: Path) -> None:
    done = ics_guard(tmp_path, "init", "--yes")
    assert done.returncode == 2
    assert "git init" in done.stderr
