"""One guarded repository for each way to install the hooks, made once and copied for each row of a table."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ics_guard import config, git
from ics_guard.install import HOOKS, install
from tests.checkout import Checkout
from tests.support import CONFIG, make_database

STYLES = ("native", "pre-commit", "prek")
_CONFIGURATION = CONFIG + '[policy]\non_missing = "refuse"\non_incoming = "warn"\n'
_ROOT = Path(__file__).resolve().parent.parent.parent
_PRELUDE = """
sql() { printf 'CREATE TABLE t%s (id INTEGER PRIMARY KEY);\\n' "$1" > "migrations/$1.sql"; }
words() { echo "$1" >> README; }
quiet() { git -c core.hooksPath=/dev/null "$@"; }
# Commit whatever there is behind the guard's back.
slip() { git add -A && quiet commit -q --allow-empty -m slipped; }
# Do something on a branch, slip it in, and come back to main.
on() { quiet switch -q "$1" 2>/dev/null || quiet switch -qc "$1"; eval "$2"; slip; quiet switch -q main; }
# Somebody else does something and pushes it.
theirs() { quiet clone -q ../remote.git ../other 2>&1; (cd ../other; eval "$1"; slip; quiet push -q origin HEAD:main); }
module() { git submodule add -q ../remote.git "$1" 2>&1; }
drop() { echo 'DROP TABLE t1;' >> "migrations/$1.sql"; }
bare() { git init -q --bare "../$1.git"; git remote add "$1" "../$1.git"; }
"""


@dataclass(frozen=True)
class Situation:
    """A row of a table: what has happened so far, and the commands whose verdict counts, both in sh.

    `verdict` is for the native hooks, pre-commit and prek differ only where it is said: `held` (the gate said no),
    `told` (migrations that came in, once), `silent`.
    """

    name: str
    before: str
    command: str
    verdict: str
    pre_commit: str = ""
    prek: str = ""

    def expected(self, style: str) -> str:
        return {"native": self.verdict, "pre-commit": self.pre_commit, "prek": self.prek}[style] or self.verdict


@dataclass(frozen=True)
class Guarded:
    """A repository with hooks in it, and a remote beside it that has all of `main`."""

    checkout: Checkout
    style: str

    def verdict(self, situation: Situation) -> str:
        """Run a row with real git, and return how it came out."""
        self.sh(situation.before)
        done = self.sh(situation.command, check=False)
        said = done.stdout + done.stderr
        assert "Traceback" not in said
        assert "bug in ics-guard" not in said
        told = len(re.findall(r"schema changes? came in", said))
        if done.returncode:
            assert "is held" in said, said
            assert not told, said
            return "held"
        assert told < 2, said
        return "told" if told else "silent"

    def sh(self, script: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.checkout.run("sh", "-eu", "-c", _PRELUDE + script, check=check)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("templates")


@pytest.fixture(params=STYLES)
def style(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def guarded(style: str, templates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guarded:
    """A copy of the template of a style. The working directory of its commands is the repository."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    if not (templates / style).exists():
        _make(templates / "unfinished", style)
        (templates / "unfinished").rename(templates / style)
    shutil.copytree(templates / style, tmp_path / "here", symlinks=True)
    return Guarded(Checkout(tmp_path / "here" / "repo"), style)


def _make(folder: Path, style: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    made = Checkout.create(folder / "repo")
    made.write("ics-guard.toml", _CONFIGURATION)
    made.write(".gitignore", "data/\nbackups/\n")
    made.write("migrations/1.sql", "CREATE TABLE t1 (id INTEGER PRIMARY KEY);\n")
    if style != "native":
        made.write(".pre-commit-config.yaml", _framework_configuration())
    made.commit("README", "words\n")
    make_database(made.root / "data" / "app.db", rows=1)
    made.git("clone", "-q", "--bare", ".", "../remote.git")
    made.git("remote", "add", "origin", "../remote.git")
    made.git("fetch", "-q")
    made.git("branch", "-q", "--set-upstream-to=origin/main")
    if style == "native":
        install(git.open_repository(made.root), config.load(made.root))
    else:
        flags = [word for name in HOOKS for word in ("--hook-type", name)]
        program = [sys.executable, "-m", "pre_commit"] if style == "pre-commit" else [_beside_python("prek")]
        made.run(*program, "install", *flags)


def _framework_configuration() -> str:
    """The hooks of .pre-commit-hooks.yaml but for the virtual environment, which would need the network."""
    hooks = (_ROOT / ".pre-commit-hooks.yaml").read_text()
    local = hooks.replace("language: python", "language: system").replace(
        "entry: ics-guard", f"entry: {sys.executable} -P -m ics_guard"
    )
    lines = [line for line in local.splitlines() if not line.startswith("#") and "minimum_pre_commit" not in line]
    return "repos:\n  - repo: local\n    hooks:\n" + "".join(f"      {line}\n" for line in lines)


def _beside_python(name: str) -> str:
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    assert found, f"{name} belongs to the test extra"
    return found
