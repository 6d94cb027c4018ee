"""The README says what is true: its commands exist, and what it shows comes out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ics_guard.config import load
from ics_guard.demo import tell
from tests.support import ics_guard

ROOT = Path(__file__).resolve().parent.parent
SUBCOMMANDS = {"show", "verify", "export", "summary"}
README = (ROOT / "README.md").read_text()


def commands() -> list[str]:
    table = README.split("## Commands", 1)[1].split("Every command", 1)[0]
    return [
        word for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for word in re.findall(r"`([a-z]+)", cell)
    ]


def test_every_command_of_the_readme_is_in_the_help_and_the_other_way_round(tmp_path: Path) -> None:
    shown = set(re.findall(r"^│ ([a-z]+) ", ics_guard(tmp_path, "--help").stdout, re.MULTILINE))
    assert shown == set(commands()) - SUBCOMMANDS
    ledger = set(re.findall(r"^│ ([a-z]+) ", ics_guard(tmp_path, "ledger", "--help").stdout, re.MULTILINE))
    assert ledger == SUBCOMMANDS | {"list"}


@pytest.mark.parametrize(
    "command", [name for name in commands() if name not in {"show", "verify", "export", "summary"}]
)
def test_every_command_has_help(tmp_path: Path, command: str) -> None:
    done = ics_guard(tmp_path, command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


def test_the_two_set_up_commands_are_marked_for_ci() -> None:
    for name in ("demo", "test"):
        assert re.search(rf"<!-- command: {name} -->\n```sh\n.*\n```", README), name


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_demo_holds_what_it_says(tmp_path: Path) -> None:
    said: list[str] = []
    tell(tmp_path / "demo", said.append, said.append)
    shown = "\n".join(said)
    assert "this commit is held" in shown
    assert "restored podcast_" in shown
    assert "chain intact" in shown
    held = README.split("$ git commit -m", 1)[1].split("```", 1)[0]
    for line in held.strip().splitlines()[1:]:
        pattern = re.escape(line.strip()).replace(r"2\ hours", r"\d+\ \w+")
        assert re.search(pattern, shown), line


def test_outside_a_repository_and_without_a_configuration_it_says_what_to_do(tmp_path: Path) -> None:
    done = ics_guard(tmp_path, "status")
    assert done.returncode == 2
    assert "git" in done.stderr
    assert "do:" in done.stderr


def test_every_configuration_key_of_the_docs_is_known(tmp_path: Path) -> None:
    example = (ROOT / "docs" / "configuration.md").read_text().split("```toml\n", 1)[1].split("```", 1)[0]
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n")
    (tmp_path / "migrations" / "versions").mkdir(parents=True)
    assert load(tmp_path, example).environments["local"].sources["db"].path == "data/app.db"
