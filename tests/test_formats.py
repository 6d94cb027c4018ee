"""What `check` and `gate` print in each form, by the command line, in repositories that are not easy."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support import CONFIG, git, ics_guard, make_repository

REFUSE = CONFIG + "[policy]\non_missing = 'refuse'\n"
ODD = b"migrations/a,b:%0A::error::|\n`\xe9\xff.sql"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository in which a file with the worst of names drops a table, held."""
    folder = make_repository(tmp_path / "repo", config=REFUSE)
    Path(os.fsdecode(os.fsencode(folder) + b"/" + ODD)).write_text("DROP TABLE episodes;\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "drop", "--no-verify")
    return folder


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    return path


def test_annotations_go_to_stdout_and_the_summary_is_appended(root: Path, summary: Path) -> None:
    summary.write_text("what an earlier command said\n")
    done = ics_guard(root, "gate", "--range", "HEAD^..HEAD", "--format", "github")
    assert done.returncode == 1
    said, *commands = done.stdout.splitlines()
    assert said == "ics-guard: this change is held: 1 schema change"
    assert [command.split(" ")[0] for command in commands] == ["::error", "::error"]
    assert "file=migrations/a%2Cb%3A%250A%3A%3Aerror%3A%3A|\\n`\\udce9\\udcff.sql,line=1,col=1," in commands[1]
    written = summary.read_text()
    assert written.startswith("what an earlier command said\n\n### ⛔ ics-guard")
    assert len([line for line in written.splitlines() if line.startswith("|")]) == 3


def test_without_a_summary_file_nothing_is_written(root: Path) -> None:
    done = ics_guard(root, "check", "--range", "HEAD^..HEAD", "--format", "github")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("problem", ["a folder", "nowhere", "full"])
def test_a_summary_that_cannot_be_written_is_told_and_changes_no_verdict(
    root: Path, summary: Path, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if problem == "a folder":
        summary.mkdir()
    elif problem == "nowhere":
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary / "deeper"))
    else:
        summary.write_text("x" * 1024 * 1024)
    done = ics_guard(root, "check", "--range", "HEAD^..HEAD", "--format", "github")
    assert done.returncode == 0
    assert done.stdout.count("\n") == 2
    assert "was not written" in done.stderr


def test_a_summary_leaves_room_for_what_is_there(root: Path, summary: Path) -> None:
    summary.write_text("x" * (1024 * 1024 - 200))
    ics_guard(root, "gate", "--range", "HEAD^..HEAD", "--format", "github")
    assert summary.stat().st_size <= 1024 * 1024
    assert "The rest is left out" in summary.read_text()[-200:]


def test_sarif_leads_to_the_very_file(root: Path) -> None:
    done = ics_guard(root, "gate", "--range", "HEAD^..HEAD", "--format", "sarif")
    assert done.returncode == 1
    (run,) = json.loads(done.stdout)["runs"]
    (result,) = run["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "migrations/a%2Cb%3A%250A%3A%3Aerror%3A%3A%7C%0A%60%E9%FF.sql"
    assert run["properties"]["range"]["head"] == git(root, "rev-parse", "HEAD").stdout.strip()


@pytest.mark.parametrize("form", ["text", "json", "github", "markdown", "sarif"])
@pytest.mark.parametrize("command", ["check", "gate"])
def test_every_form_works_in_a_locale_without_letters(
    root: Path, form: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("LC_ALL", "C"), ("PYTHONCOERCECLOCALE", "0"), ("PYTHONUTF8", "0")):
        monkeypatch.setenv(name, value)
    done = ics_guard(root, command, "--range", "HEAD^..HEAD", "--format", form)
    assert done.returncode == (1 if command == "gate" else 0), done.stderr
    assert "episodes" in done.stdout
    assert done.stdout.endswith("\n")


def test_json_is_short_for_the_format_and_tells_the_range(root: Path) -> None:
    asked = ("--range", "HEAD^..HEAD")
    short, long = (
        json.loads(ics_guard(root, "check", *asked, *how).stdout) for how in (["--json"], ["--format", "json"])
    )
    assert short == long
    base, head = (git(root, "rev-parse", name).stdout.strip() for name in ("HEAD^", "HEAD"))
    assert short["range"] == {"base": base, "head": head, "found": "as asked for"}
    assert "range" not in json.loads(ics_guard(root, "check", "--staged", "--json").stdout)


@pytest.mark.parametrize(
    ("options", "is_json"),
    [
        (["--json"], True),
        (["--format", "json"], True),
        (["--format=json"], True),
        (["--format", "github"], False),
        (["--env", "not --format=json"], False),
    ],
)
def test_an_error_is_told_in_the_format_that_was_asked_for(root: Path, options: list[str], is_json: bool) -> None:
    done = ics_guard(root, "check", "--range", "nowhere..HEAD", *options)
    assert (done.returncode, done.stdout.startswith("{"), done.stderr == "") == (2, is_json, is_json)


def test_in_a_ci_job_what_is_judged_is_said_and_staged_is_still_to_be_had(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(root, "update-ref", "refs/remotes/origin/main", "HEAD^")
    assert json.loads(ics_guard(root, "check", "--json").stdout)["changes"] == []
    monkeypatch.setenv("CI", "true")
    done = ics_guard(root, "gate", "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)["range"]
    assert found["found"] == "CI: since it left origin/main"
    assert f"judging {found['base'][:12]}..{found['head'][:12]} (CI: since it left origin/main)" in done.stderr
    assert ics_guard(root, "gate", "--staged").returncode == 0


def test_in_a_ci_job_with_nothing_to_go_by_the_gate_is_shut_and_the_option_named(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    done = ics_guard(root, "gate", "--format", "github")
    assert done.returncode == 1
    assert done.stdout.startswith("ics-guard: this change is held\n::error title=ics-guard%3A no-range::")
    assert "--range BASE..HEAD" in done.stdout
