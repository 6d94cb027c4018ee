"""What the native hook adds to a commit that touches nothing watched, beside a hook that only starts Python.

Three repositories, one commit at a time in turn, so that whatever else the machine does hits all three alike:
without a hook, with a hook that runs `python -I -S -c pass`, with the hook that `ics-guard install` writes.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ics_guard import config, git
from ics_guard.install import install

CONFIGURATION = """version = 1
[watch]
sql = ["db/migrations/*.sql"]
embedded = ["src/database/*.rs"]
django = ["*/migrations/*.py"]
[env.local]
store = "backups"
[env.local.sources.db]
kind = "sqlite"
path = "data/app.db"
"""
BUDGET = 1.2


def make_repository(folder: Path, files: int) -> Path:
    """A repository with so many files, one of which the commits will change."""
    folder.mkdir()
    run(folder, "init", "-q", "-b", "main", ".")
    run(folder, "config", "gc.auto", "0")
    run(folder, "config", "maintenance.auto", "false")
    for number in range(files):
        path = folder / f"src/part{number % 20}/file{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{number}\n")
    (folder / "ics-guard.toml").write_text(CONFIGURATION)
    run(folder, "add", "-A")
    run(folder, "commit", "-q", "-m", "start")
    return folder


def run(folder: Path, *arguments: str) -> None:
    """Run git there, undisturbed by this machine's configuration."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    who = {f"GIT_{role}_{what}": "bench@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *arguments], cwd=folder, env={**environment, **who, **quiet}, check=True)


def commit(folder: Path, number: int) -> float:
    """Commit a change to an unwatched file and return how many milliseconds `git commit` took."""
    (folder / "src/part0/file0.txt").write_text(f"change {number}\n")
    run(folder, "add", "src/part0/file0.txt")
    began = time.perf_counter()
    run(folder, "commit", "-q", "-m", "change")
    return (time.perf_counter() - began) * 1000


def measure(commits: int, files: int) -> dict[str, list[float]]:
    """Return the milliseconds of each commit by kind of hook, the three kinds in turn."""
    with tempfile.TemporaryDirectory() as scratch:
        kinds = {name: make_repository(Path(scratch) / name, files) for name in ("bare", "python", "native")}
        reference = kinds["python"] / ".git/hooks/pre-commit"
        reference.parent.mkdir(exist_ok=True)
        reference.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -S -c pass\n")
        reference.chmod(0o755)
        install(git.open_repository(kinds["native"]), config.load(kinds["native"]))
        times: dict[str, list[float]] = {name: [] for name in kinds}
        for number in range(commits + 3):
            for name, folder in kinds.items():
                spent = commit(folder, number)
                if number >= 3:  # the first ones warm the caches
                    times[name].append(spent)
    return times


def main() -> int:
    """Print the medians and the ratio; exit 1 if it is over the budget."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--commits", type=int, default=60, help="measured commits of each kind (default: %(default)s)")
    parser.add_argument("--files", type=int, default=1000, help="tracked files (default: %(default)s)")
    options = parser.parse_args()
    medians = {name: statistics.median(spent) for name, spent in measure(options.commits, options.files).items()}
    for name, said in (
        ("bare", "no hook"),
        ("python", "hook running python -I -S -c pass"),
        ("native", "ics-guard, native"),
    ):
        print(f"{said:34} {medians[name]:6.1f} ms")
    ratio = medians["native"] / medians["python"]
    print(f"{'ratio to the Python hook':34} {ratio:6.2f}    budget {BUDGET}, goal 0.7")
    return 0 if ratio <= BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())
