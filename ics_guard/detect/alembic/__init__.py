"""Alembic: revisions, what they do on their way up and down, and the history that they make."""
