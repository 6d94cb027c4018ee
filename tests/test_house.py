"""The house keeps its own rules: style, types, and imports that point one way."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", [["check", "."], ["format", "--check", "."]])
def test_ruff_is_clean(command: list[str]) -> None:
    done = run("-m", "ruff", *command, "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_strict_is_clean_tests_included() -> None:
    done = run("-m", "mypy", "--cache-dir=/dev/null")
    assert done.returncode == 0, done.stdout + done.stderr


def test_imports_point_one_way_down_the_map() -> None:
    done = run("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr


def test_modules_are_small() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in (ROOT / "ics_guard").rglob("*.py")}
    assert max(lengths.values()) <= 400, max(lengths, key=lambda path: lengths[path])
    assert statistics.median(lengths.values()) < 150


def test_the_hot_path_imports_nothing_but_os_and_sys() -> None:
    before = run("-I", "-c", "import sys; print(*sys.modules)").stdout.split()
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import ics_guard.sieve; print(*sys.modules)"
    after = run("-I", "-c", program).stdout.split()
    assert set(after) - set(before) <= {"ics_guard", "ics_guard.sieve", "__future__"}
