"""Changes and decisions to report, as a repository could hold them at its worst."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ics_guard.detect.rules import RULES
from ics_guard.model import Backup, BackupKind, BackupRecord, Change, Decision, Kind, Reason, Severity, StoredFile

_BREAKERS = (
    *("\n", "\r\n", "::error::", "%0A", "%", ",", ":", "|", "\\|", "\\", "`", "```", "*", "_", "**bold**", "'"),
    *("<b>", "</code>", "<!--", "&#124;", "&lt;", "~~", "$x$", "{0}", "@octocat", "#1", "a@evil.example"),
    *("](", "[x](http://evil.example)", "https://evil.example", "www.evil.example"),
    *("\u202e", "\u200b", "\u2028", "\x1b[31m", "\x00", "\udce9", "é", "😀"),
)

slowly = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The first draw reads tables of all characters, and validating takes a tenth of a second: slow on a busy machine."""

texts = st.lists(st.one_of(st.sampled_from(_BREAKERS), st.text(max_size=5)), max_size=6).map("".join)
"""Any text, and most of all what means something in one of the formats. A path cannot hold NUL, nor be nothing."""

paths = st.binary(min_size=1, max_size=40).map(lambda raw: raw.replace(b"\0", b"0").decode("utf-8", "surrogateescape"))

changes = st.builds(
    Change,
    path=st.one_of(paths, texts.map(lambda text: text.replace("\0", "") or "x")),
    line=st.integers(1, 10**6),
    column=st.integers(1, 10**4),
    kind=st.sampled_from(Kind),
    rule=st.sampled_from(sorted(RULES)),
    operation=st.sampled_from(["drop_table", "alter column"]),
    object=texts,
    severity=st.sampled_from(Severity),
    reason=texts,
    digest=st.binary(min_size=32, max_size=32).map(bytes.hex),
    sources=st.lists(st.sampled_from(["db", "archive"]), unique=True, max_size=2).map(tuple),
)

reasons = st.builds(
    Reason,
    code=st.sampled_from(["no-backup", "waived", "stale"]),
    source=st.sampled_from(["", "db"]),
    message=texts,
    fix=texts,
    blocking=st.booleans(),
)


def change(severity: Severity = Severity.DESTRUCTIVE, **fields: object) -> Change:
    """An ordinary change."""
    given: dict[str, object] = {
        "path": "migrations/0002.sql",
        "line": 3,
        "column": 5,
        "kind": Kind.SQL,
        "rule": "sql.drop_table",
        "operation": "drop table",
        "object": "episodes",
        "severity": severity,
        "reason": "Every row of the table is lost.",
        "digest": "ab" * 32,
        "sources": ("db",),
        **fields,
    }
    return Change(**given)  # type: ignore[arg-type]


def record() -> BackupRecord:
    """A verified backup of yesterday."""
    image = StoredFile("sqlite/app_20261123_093000.db.zst", "image", "a" * 64, 10, "b" * 64, 20)
    at = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
    backup = Backup(
        id="app_20261123_093000",
        set="s",
        source="db",
        env="local",
        kind=BackupKind.BACKUP,
        imaged_at=at,
        files=(image,),
        facts=None,
        fingerprint="",
        origin="data/app.db",
        commit="",
        describe="",
        operator="",
        seconds=1.0,
        tool="",
    )
    return BackupRecord(backup, at.replace(hour=10), 0.5, True, True, 1)


def blocked(*changes: Change) -> Decision:
    reason = Reason("no-backup", "db", "db has no backup yet", "ics-guard backup db", creatable=True)
    return Decision(False, (reason,), changes)


def allowed(*changes: Change) -> Decision:
    waived = Reason("waived", "", "1 change(s) pass on a waiver in this commit", "", blocking=False)
    return Decision(True, (waived,), changes, (record(),))


decisions = st.builds(
    lambda listed, why: Decision(not any(reason.blocking for reason in why), tuple(why), tuple(listed), (record(),)),
    st.lists(changes, max_size=4),
    st.lists(reasons, max_size=3),
)
