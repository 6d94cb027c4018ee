"""A real Alembic project in a real repository, migrated by the real command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ics_guard.demo import files
from tests.support import add_rows, git

CONFIG = """\
version = 1

[watch]
alembic = ["alembic.ini"]

[env.local]
store = "backups"

[env.local.sources.podcast]
kind = "sqlite"
path = "data/podcast.db"
"""


def make_alembic_repository(folder: Path, *, config: str = CONFIG) -> Path:
    """Two revisions applied, 50 episodes, everything committed; the guard is in env.py."""
    for name, text in {**files.FILES, "ics-guard.toml": config}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "data").mkdir()
    git(folder, "init", "-q", "-b", "main", ".")
    assert alembic(folder, "upgrade", "head").returncode == 0
    fill(folder)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first", "--no-verify")
    return folder


def fill(folder: Path) -> None:
    import sqlite3  # noqa: PLC0415
    from contextlib import closing  # noqa: PLC0415

    with closing(sqlite3.connect(folder / "data" / "podcast.db")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        add_rows(connection, 50)


def alembic(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "alembic", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def write_revision(folder: Path, revision: str, upgrade: str, downgrade: str = "pass", after: str = "0002") -> Path:
    path = folder / "migrations" / "versions" / f"{revision}_test.py"
    path.write_text(
        f'''"""a test revision"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{after}"


def upgrade():
    {upgrade}


def downgrade():
    {downgrade}
'''
    )
    git(folder, "add", "-A")
    return path


ADD_COLUMN = 'op.add_column("episodes", sa.Column("rating", sa.Integer))'
DROP_COLUMN = """with op.batch_alter_table("episodes") as batch:
        batch.drop_column("notes")"""
