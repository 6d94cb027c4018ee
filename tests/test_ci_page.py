"""docs/ci.md is true: its workflows are run as the vendors would run them, its server hook by real pushes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import git, make_repository

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "ci.md").read_text()
CONFIG = """\
version = 1
[watch]
sql = ["migrations/*.sql"]
[env.prod]
store = "backups"
required = true
[env.prod.sources.db]
kind = "sqlite"
path = "data/app.db"
"""


def blocks(language: str, under: str) -> list[str]:
    section = PAGE.split(f"## {under}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


@pytest.fixture
def bin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`ics-guard` on PATH, as `pip install` puts it there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "ics-guard"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m ics_guard "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def server(tmp_path: Path, bin: Path) -> Path:
    """A bare repository with `main`; a branch `drops` that drops a table, and `words` that changes nothing."""
    first = make_repository(tmp_path / "first", rows=0, config=CONFIG)
    for branch, name, content in (("drops", "migrations/0002.sql", "\nDROP TABLE episodes;\n"), ("words", "a.md", "a")):
        git(first, "checkout", "-q", "-b", branch, "main")
        (first / name).write_text(content)
        git(first, "add", "-A")
        git(first, "commit", "-qm", branch)
    git(first, "checkout", "-q", "main")
    git(first, "clone", "-q", "--bare", str(first), str(tmp_path / "server.git"))
    return tmp_path / "server.git"


def run(commands: list[str], folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the lines of a job in bash as both vendors start it, installation left out."""
    script = "\n".join(command for command in commands if not command.startswith("pip install"))
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def workflow() -> dict[str, Any]:
    main, option = blocks("yaml", "GitHub Actions")
    found: dict[str, Any] = yaml.safe_load(main + option)
    return found


def checked_out(server: Path, tmp_path: Path, branch: str) -> tuple[Path, str, str]:
    """What actions/checkout leaves of a pull request: the merge, detached, with the whole history."""
    here = tmp_path / "job"
    git(tmp_path, "clone", "-q", str(server), str(here))
    git(here, "checkout", "-q", "--detach", "origin/main")
    git(here, "merge", "-q", "--no-ff", "-m", "merge", f"origin/{branch}")
    base, head = (git(here, "rev-parse", f"origin/{name}").stdout.strip() for name in ("main", branch))
    return here, base, head


def on_github(server: Path, tmp_path: Path, branch: str) -> tuple[Path, dict[str, str]]:
    here, base, head = checked_out(server, tmp_path, branch)
    event = {
        "number": 1,
        "pull_request": {"number": 1, "base": {"ref": "main", "sha": base}, "head": {"ref": branch, "sha": head}},
        "repository": {"default_branch": "main"},
    }
    (tmp_path / "event.json").write_text(json.dumps(event))
    (tmp_path / "summary.md").touch()
    return here, {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }


def test_the_github_workflow_takes_the_whole_history_and_all_three_events() -> None:
    found = workflow()
    events = next(value for key, value in found.items() if key not in ("name", "permissions", "jobs"))
    assert set(events) == {"pull_request", "merge_group", "push"}
    (job,) = found["jobs"].values()
    assert job["steps"][0]["with"]["fetch-depth"] == 0
    assert found["permissions"] == {"contents": "read"}


def test_the_github_workflow_holds_a_pull_request_that_drops_a_table(server: Path, tmp_path: Path) -> None:
    (job,) = workflow()["jobs"].values()
    here, environ = on_github(server, tmp_path, "drops")
    gate, scan = [[step["run"]] for step in job["steps"] if "ics-guard " in step.get("run", "")]
    done = run(gate, here, environ)
    assert done.returncode == 1, done.stderr
    assert "pull request 1 into main" in done.stderr
    assert "::error file=migrations/0002.sql,line=2,col=1,title=" in done.stdout
    assert "::error title=ics-guard%3A evidence-needed::" in done.stdout
    summary = (tmp_path / "summary.md").read_text()
    assert summary.startswith("### ⛔ ics-guard: this change is held: 1 schema change")
    assert run(scan, here, environ).returncode == 0
    (result,) = json.loads((here / "ics-guard.sarif").read_text())["runs"][0]["results"]
    assert result["ruleId"] == "sql.drop_table"


def test_the_github_workflow_passes_a_pull_request_without_schema_changes(server: Path, tmp_path: Path) -> None:
    (job,) = workflow()["jobs"].values()
    here, environ = on_github(server, tmp_path, "words")
    done = run([step["run"] for step in job["steps"] if "run" in step], here, environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ics-guard: this change may pass: no schema change\n"


@pytest.mark.parametrize(("branch", "code"), [("drops", 1), ("words", 0)])
def test_the_gitlab_job_judges_the_merge_request(server: Path, tmp_path: Path, branch: str, code: int) -> None:
    (text,) = blocks("yaml", "GitLab")
    (job,) = yaml.safe_load(text).values()
    assert job["variables"]["GIT_DEPTH"] == "0"
    here, base, head = checked_out(server, tmp_path, branch)
    git(here, "checkout", "-q", head)
    environ = {
        "CI": "true",
        "GITLAB_CI": "true",
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_MERGE_REQUEST_IID": "1",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": base,
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_COMMIT_SHA": head,
        "CI_COMMIT_BEFORE_SHA": "0" * 40,
        "CI_DEFAULT_BRANCH": "main",
    }
    done = run(job["script"], here, environ)
    assert done.returncode == code, done.stderr
    assert "merge request 1 into main" in done.stderr
    shown = run(job["after_script"], here, environ).stdout
    assert ("is held" in shown) == bool(code)
    assert (here / job["artifacts"]["paths"][0]).read_text() == shown


def test_any_other_ci_says_the_range_itself(server: Path, tmp_path: Path) -> None:
    command, _ = blocks("sh", "Any other CI, and git alone")
    here, _, _ = checked_out(server, tmp_path, "drops")
    done = run([command], here, {})
    assert done.returncode == 1
    assert "migrations/0002.sql:2" in done.stdout


def test_the_server_hook_refuses_a_push_that_is_held_and_takes_the_others(server: Path, tmp_path: Path) -> None:
    _, hook = blocks("sh", "Any other CI, and git alone")
    git(server, "branch", "-D", "drops")
    path = server / "hooks" / "pre-receive"
    path.write_text(hook)
    path.chmod(0o755)
    pushed = [
        git(tmp_path / "first", "push", str(server), what, check=False) for what in ("drops", "main:new", ":words")
    ]
    assert [done.returncode for done in pushed] == [1, 0, 0], [done.stderr for done in pushed]
    assert "migrations/0002.sql:2" in pushed[0].stderr
    git(tmp_path / "first", "checkout", "-q", "main")
    git(tmp_path / "first", "merge", "-q", "drops")
    held = git(tmp_path / "first", "push", str(server), "main", check=False)
    assert held.returncode == 1
    assert "evidence" in held.stderr or "required" in held.stderr
    assert git(server, "branch", "--format=%(refname:short)").stdout.split() == ["main", "new"]


def test_every_format_and_every_exit_code_of_the_page_is_the_program_s(server: Path, tmp_path: Path) -> None:
    here, environ = on_github(server, tmp_path, "words")
    rows = PAGE.split("## Formats\n", 1)[1].split("## Exit", 1)[0]
    for form in re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE):
        done = run([f"ics-guard gate --env prod --format {form}"], here, environ)
        assert done.returncode == 0
        assert done.stdout.strip()
    assert run(["ics-guard gate --env nowhere"], here, environ).returncode == 2
