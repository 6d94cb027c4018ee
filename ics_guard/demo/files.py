"""The throwaway project: a podcast archive with an Alembic history, a WAL database and full-text search."""

from __future__ import annotations

ALEMBIC_INI = """\
[alembic]
script_location = %(here)s/migrations
sqlalchemy.url = sqlite:///data/podcast.db
"""

ENV_PY = """\
from alembic import context
from sqlalchemy import create_engine

from ics_guard.alembic import guard

guard(context)

engine = create_engine(context.config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    context.configure(connection=connection, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
"""

SCRIPT_MAKO = '''\
"""${message}"""
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
'''

EPISODES = '''\
"""episodes and what was said in them"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    op.create_table(
        "episodes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("notes", sa.Text),
    )
    op.create_table(
        "segments",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("episode_id", sa.Integer, sa.ForeignKey("episodes.id"), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )


def downgrade():
    op.drop_table("segments")
    op.drop_table("episodes")
'''

SEARCH = '''\
"""full-text search"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.execute("CREATE VIRTUAL TABLE segments_fts USING fts5(text, content='segments', content_rowid='id')")
    op.execute(
        "CREATE TRIGGER segments_ai AFTER INSERT ON segments BEGIN "
        "INSERT INTO segments_fts(rowid, text) VALUES (new.id, new.text); END"
    )


def downgrade():
    op.execute("DROP TRIGGER segments_ai")
    op.execute("DROP TABLE segments_fts")
'''

NO_NOTES = '''\
"""notes move to the website, supposedly"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    with op.batch_alter_table("episodes") as batch:
        batch.drop_column("notes")


def downgrade():
    raise NotImplementedError("the notes are gone")
'''

CONFIG = """\
version = 1

[watch]
alembic = ["alembic.ini"]

[policy]
on_missing = "refuse"        # so that the demo can show a commit being held; "create" would just make the backup

[env.local]
store = "backups"

[env.local.sources.podcast]
kind = "sqlite"
path = "data/podcast.db"
smoke = [{ sql = "SELECT notes FROM episodes LIMIT 1" }]
"""

FILES = {
    "alembic.ini": ALEMBIC_INI,
    "migrations/env.py": ENV_PY,
    "migrations/script.py.mako": SCRIPT_MAKO,
    "migrations/versions/0001_episodes.py": EPISODES,
    "migrations/versions/0002_search.py": SEARCH,
    "ics-guard.toml": CONFIG,
    ".gitignore": "data/\nbackups/\n__pycache__/\n",
}
BAD_MIGRATION = ("migrations/versions/0003_no_notes.py", NO_NOTES)
