"""What the tests of detection share: one call that reads like the tables it is used in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ics_guard.detect import detect
from ics_guard.model import Change, Kind

Find = Callable[..., list[Change]]

PATHS = {
    Kind.ALEMBIC: "versions/x.py",
    Kind.DJANGO: "app/migrations/0002_x.py",
    Kind.SQL: "migrations/x.sql",
    Kind.EMBEDDED: "src/database.rs",
    Kind.MODEL: "app/models.py",
}


@pytest.fixture
def find() -> Find:
    """Given a kind, the text before and the text after (None = absent), the changes between them."""

    def _find(kind: Kind, before: str | None, after: str | None, path: str = "") -> list[Change]:
        old = None if before is None else before.encode()
        new = None if after is None else after.encode()
        return detect(kind, path or PATHS[kind], old, new)

    return _find
