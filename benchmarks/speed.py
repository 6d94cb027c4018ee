"""How long a verdict takes: a commit of 300 migrations, a range of 1,000 commits, a push of 3,000 refs.

Each builds its repository in a temporary folder, then runs the command line as a hook or CI would, start-up included.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

CONFIGURATION = """version = 1
[watch]
alembic = ["migrations/versions"]
sql = ["db/*.sql"]
[env.local]
store = "backups"
[env.local.sources.db]
kind = "sqlite"
path = "data/app.db"
"""
WHO = "bench <bench@example.org> 1700000000 +0000"
BUDGETS = {"commit": 3.0, "range": 60.0, "push": 60.0}


def revision(number: int) -> str:
    """A revision of Alembic with the usual variety in it."""
    down = f'"r{number - 1:05}"' if number else "None"
    return f'''"""Revision {number}."""

import sqlalchemy as sa
from alembic import op

revision = "r{number:05}"
down_revision = {down}
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "things_{number}",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(length=80), nullable=False),
    )
    with op.batch_alter_table("things_{number}") as batch_op:
        batch_op.add_column(sa.Column("size", sa.Integer(), nullable=True))
        batch_op.create_index("ix_things_{number}_size", ["size"], unique=False)
    op.execute("UPDATE things_{number} SET size = 0 WHERE size IS NULL")


def downgrade() -> None:
    op.drop_table("things_{number}")
'''


def history(commits: int) -> Iterator[bytes]:
    """A stream for `git fast-import`: so many commits on main, every tenth with a revision, the others with code."""

    def blob(content: str) -> bytes:
        raw = content.encode()
        return b"data %d\n%s\n" % (len(raw), raw)

    for number in range(commits):
        yield f"commit refs/heads/main\ncommitter {WHO}\n".encode() + blob(f"commit {number}")
        if number == 0:
            yield b"M 100644 inline ics-guard.toml\n" + blob(CONFIGURATION)
            yield b"M 100644 inline .gitignore\n" + blob("data/\nbackups/\n")
            yield b"M 100644 inline migrations/versions/r00000.py\n" + blob(revision(0))
        elif number % 10 == 0:
            yield f"M 100644 inline migrations/versions/r{number // 10:05}.py\n".encode() + blob(revision(number // 10))
        yield f"M 100644 inline src/part{number % 50}.py\n".encode() + blob(f"VALUE = {number}\n")


def make_repository(folder: Path, commits: int) -> Path:
    """A repository with so many commits, checked out, without a database."""
    folder.mkdir()
    run(folder, "git", "init", "-q", "-b", "main", ".")
    run(folder, "git", "config", "gc.auto", "0")
    run(folder, "git", "fast-import", "--quiet", stdin=b"".join(history(commits)))
    run(folder, "git", "reset", "-q", "--hard")
    return folder


def run(folder: Path, *command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run a command there, undisturbed by this machine's git configuration. Raise what it says if it breaks."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {f"GIT_{role}_{what}": "bench" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, input=stdin, capture_output=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr.decode()}")
    return done


@dataclass(frozen=True)
class Spent:
    """How long a command took, in seconds by the clock, and of the processor, git's included."""

    seconds: float
    processor: float


def guard(folder: Path, *arguments: str, stdin: bytes = b"") -> tuple[Spent, bytes]:
    """Run ics-guard there and return what it took, and what it printed on either stream."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run(folder, sys.executable, "-P", "-m", "ics_guard", *arguments, stdin=stdin)
    ended, after = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(ended - began, processor), done.stdout + done.stderr


def commit_of_many_files(scratch: Path, files: int) -> Spent:
    """Judge a commit that adds so many revisions."""
    folder = make_repository(scratch / "commit", 1)
    for number in range(1, files + 1):
        (folder / f"migrations/versions/r{number:05}.py").write_text(revision(number))
    run(folder, "git", "add", "-A")
    spent, said = guard(folder, "check", "--staged", "--json")
    assert said.count(b'"path"') >= files, said[-2000:]
    return spent


def range_of_commits(scratch: Path, commits: int) -> Spent:
    """Judge a range of so many commits."""
    folder = make_repository(scratch / "range", commits + 1)
    spent, said = guard(folder, "gate", "--range", f"HEAD~{commits}..HEAD", "--json")
    assert b'"verdict"' in said, said[-2000:]
    return spent


def push_of_refs(scratch: Path, refs: int) -> Spent:
    """Judge a first push of so many branches, each at a commit of its own."""
    folder = make_repository(scratch / "push", refs)
    oids = run(folder, "git", "rev-list", "HEAD").stdout.decode().split()
    made = "".join(f"create refs/heads/b{number} {oid}\n" for number, oid in enumerate(oids))
    run(folder, "git", "update-ref", "--stdin", stdin=made.encode())
    none = "0" * 40
    lines = "".join(f"refs/heads/b{n} {oid} refs/heads/b{n} {none}\n" for n, oid in enumerate(oids))
    spent, said = guard(folder, "hook", "pre-push", "origin", "https://example.org/app", stdin=lines.encode())
    assert b"r00001" in said or b"things_" in said, said[-2000:]
    return spent


def main() -> int:
    """Print seconds and budgets; exit 1 if one is over its budget."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--files", type=int, default=300, help="migrations in one commit (default: %(default)s)")
    parser.add_argument("--commits", type=int, default=1000, help="commits of the range (default: %(default)s)")
    parser.add_argument("--refs", type=int, default=3000, help="refs of the push (default: %(default)s)")
    parser.add_argument("--case", choices=BUDGETS, action="append", help="only this one (default: all)")
    options = parser.parse_args()
    cases: dict[str, tuple[str, Callable[[Path], Spent]]] = {
        "commit": (f"a commit of {options.files} migrations", lambda at: commit_of_many_files(at, options.files)),
        "range": (f"a range of {options.commits} commits", lambda at: range_of_commits(at, options.commits)),
        "push": (f"a first push of {options.refs} refs", lambda at: push_of_refs(at, options.refs)),
    }
    within = True
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.case or cases:
            said, measure = cases[name]
            spent = measure(Path(scratch))
            within &= spent.seconds <= BUDGETS[name]
            took = f"{spent.seconds:7.2f} s, {spent.processor:6.2f} s of it at work"
            print(f"{said:34} {took}    budget {BUDGETS[name]:.0f} s", flush=True)
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
