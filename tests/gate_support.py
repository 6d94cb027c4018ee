"""A gate asked by the command line, and what it said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support import CONFIG, git, ics_guard

REFUSE = CONFIG + '[policy]\non_missing = "refuse"\n'


DROP = "DROP TABLE segments;\n"


def judged(folder: Path, *options: str, command: str = "gate") -> tuple[int, dict[str, Any]]:
    done = ics_guard(folder, command, "--json", *options)
    document: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, document


def codes(document: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in document["reasons"]]


def rules(document: dict[str, Any]) -> list[str]:
    return [change["rule"] for change in document["changes"]]


def stage(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "add", "-A")


def configure(folder: Path, text: str) -> None:
    (folder / "ics-guard.toml").write_text(text)
    git(folder, "add", "-A")


def checked(project: Path, span: str) -> list[dict[str, str]]:
    changes: list[dict[str, str]] = json.loads(ics_guard(project, "check", "--json", "--range", span).stdout)["changes"]
    return changes


MALLORY = "mallory@example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJmRwAx4Gm1dQWvYBf9rJdY0Yq5eZ0r0xkQe8sYq1W2x\n"


REVISION = """
from alembic import op
revision = "b2"
down_revision = None
def upgrade():
    op.drop_table("episodes")
"""
