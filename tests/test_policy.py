"""decide(): pure, so every combination can be tried."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ics_guard.applied import is_applied, newest_before
from ics_guard.config import Policy
from ics_guard.detect.alembic.revision import Revision
from ics_guard.model import (
    Backup,
    BackupKind,
    BackupRecord,
    Change,
    Decision,
    Effect,
    Evidence,
    Facts,
    Kind,
    Reason,
    Severity,
    Situation,
    StoredFile,
)
from ics_guard.policy import decide

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BEGAN = NOW - timedelta(seconds=5)


def change(severity: Severity = Severity.ADDITIVE, digest: str = "d", **more: object) -> Change:
    made = Change("m.sql", 1, 1, Kind.SQL, "sql.x", "x", "t", severity, "why", digest, sources=("db",))
    return replace(made, **more)  # type: ignore[arg-type]


def record(
    hours: float = 1.0,
    *,
    verified: bool = True,
    kind: BackupKind = BackupKind.BACKUP,
    present: bool = True,
    objects: tuple[str, ...] = (),
    revisions: tuple[str, ...] = (),
    name: str = "b",
) -> BackupRecord:
    at = NOW - timedelta(hours=hours)
    facts = Facts("s", {}, objects, revisions, 0, 4096, 1)
    file = StoredFile("k", "image", "", 1, "", 1)
    backup = Backup(name, "", "db", "local", kind, at, (file,), facts, "f", "", "", "", "", 1.0, "")
    return BackupRecord(backup, at if verified else None, 1.0, verified, present, 1)


def situation(*records: BackupRecord, unchanged: bool = True, **more: object) -> Situation:
    ids = frozenset(r.backup.id for r in records) if unchanged else frozenset()
    made = Situation("db", "sqlite", False, True, True, False, None, records, ids, {}, {})
    return replace(made, **more)  # type: ignore[arg-type]


NO_EVIDENCE = Evidence()


def judge(
    changes: list[Change], where: Situation, policy: Policy | None = None, evidence: Evidence = NO_EVIDENCE
) -> Decision:
    return decide(tuple(changes), {"db": where}, policy or Policy(), NOW, BEGAN, evidence)


@pytest.mark.parametrize(
    ("where", "codes"),
    [
        (situation(record()), []),
        (situation(), ["no-backup"]),
        (situation(record(verified=False)), ["not-verified"]),
        (situation(record(25)), ["stale"]),
        (situation(record(present=False)), ["files-missing"]),
        (situation(record(), unchanged=False), ["changed-since"]),
        (situation(record(0), unchanged=False), []),
        (situation(record(-1)), ["clock"]),
        (situation(record(-1 / 30), unchanged=False), ["changed-since"]),  # a clock went back: not of this command
        (situation(record(kind=BackupKind.SAFETY)), ["no-backup"]),
        (situation(record(kind=BackupKind.SALVAGE, verified=False)), ["no-backup"]),
        (situation(record(25), record(26, name="a", present=False), unchanged=False), ["stale", "changed-since"]),
        (situation(record(2, present=False, name="a"), record(3, name="b")), []),
        (situation(exists=False), ["source-lost"]),
        (situation(exists=False, seen=False), ["never-seen"]),
        (situation(exists=False, seen=False, declared_empty=True), ["no-data"]),
        (situation(exists=False, seen=False, declared_empty=True, required=True), ["evidence-needed"]),
    ],
)
def test_each_unmet_condition_has_its_name(where: Situation, codes: list[str]) -> None:
    decision = judge([change()], where)
    assert [reason.code for reason in decision.reasons] == codes
    assert decision.allowed is (codes in ([], ["no-data"]))
    assert all(reason.fix for reason in decision.reasons if reason.blocking)


def test_an_old_drill_asks_for_another() -> None:
    old = record(1)
    old = replace(old, verified_at=NOW - timedelta(days=31))
    decision = judge([change()], situation(old))
    assert [(reason.code, reason.fix) for reason in decision.reasons] == [("redrill-due", "ics-guard drill b")]


def test_notices_and_nothing_pass() -> None:
    assert judge([], situation()).allowed
    assert judge([change(Severity.NOTICE)], situation()).allowed


def test_a_change_that_nobody_answers_for_is_held() -> None:
    decision = judge([change(sources=())], situation(record()))
    assert [reason.code for reason in decision.reasons] == ["unguarded-path"]


@pytest.mark.parametrize("severity", list(Severity)[:4])
def test_applied_without_a_way_back_holds_the_destructive_and_records_the_others(severity: Severity) -> None:
    decision = judge([change(severity)], situation(record(), applied={"d": True}))
    assert [reason.code for reason in decision.reasons] == ["applied-unprotected"]
    assert decision.allowed is (severity is not Severity.DESTRUCTIVE)


def test_applied_with_a_way_back_passes_however_old_it_is() -> None:
    old = record(24 * 40, name="old")
    decision = judge([change(Severity.DESTRUCTIVE)], situation(applied={"d": True}, before={"d": old}))
    assert decision.allowed
    assert [reason.code for reason in decision.reasons] == ["already-applied"]
    assert "40 days" in decision.reasons[0].message
    assert [r.backup.id for r in decision.backups] == ["old"]


AWAY = situation(exists=False, seen=False)
FLAW = Reason("evidence-expired", "", "it is old", "make another")


@pytest.mark.parametrize(
    ("where", "evidence", "codes"),
    [
        (AWAY, Evidence(attested={"d": {"db": "b by Ada"}}), ["attested"]),
        (AWAY, Evidence(attested={"d": {"other": "b by Ada"}}), ["never-seen"]),
        (AWAY, Evidence(attested={"e": {"db": "b by Ada"}}), ["never-seen"]),
        (AWAY, Evidence(flaws={"d": (FLAW,)}), ["never-seen", "evidence-expired"]),
        (AWAY, Evidence(attested={"d": {"db": "b"}}, flaws={"d": (FLAW,)}), ["attested"]),
        (AWAY, Evidence(waived={"d": "waived by Ada: old"}), ["waived"]),
        (replace(AWAY, required=True, declared_empty=True), Evidence(attested={"d": {"db": "b"}}), ["attested"]),
        (replace(AWAY, unseen="it is far away"), Evidence(attested={"d": {"db": "b"}}), ["attested"]),
        (replace(AWAY, unseen="it is far away"), Evidence(), ["evidence-needed"]),
        (situation(exists=False), Evidence(attested={"d": {"db": "b"}}), ["source-lost"]),
        (situation(), Evidence(attested={"d": {"db": "b"}}), ["no-backup"]),
        (situation(), Evidence(waived={"d": "waived by Ada: old"}), ["waived"]),
    ],
)
def test_evidence_answers_only_for_what_cannot_be_seen(where: Situation, evidence: Evidence, codes: list[str]) -> None:
    decision = judge([change()], where, evidence=evidence)
    assert [reason.code for reason in decision.reasons] == codes
    assert decision.allowed == (codes in (["attested"], ["waived"]))


def test_each_change_needs_evidence_of_its_own_and_the_first_that_lacks_it_is_named() -> None:
    changes = [change(digest="d"), change(digest="e", object="u", line=7)]
    decision = judge(changes, AWAY, evidence=Evidence(attested={"d": {"db": "b"}}))
    assert not decision.allowed
    assert "x u (m.sql:7)" in decision.reasons[0].message
    decision = judge(changes, AWAY, evidence=Evidence(attested={"d": {"db": "b"}}, waived={"e": "waived by Ada: old"}))
    assert decision.allowed
    assert [(reason.code, reason.message) for reason in decision.reasons] == [
        ("waived", "1 change waived by Ada: old"),
        ("attested", "1 change rests on b"),
    ]


def test_the_way_back_of_each_change_is_kept_with_how_it_stands_to_it() -> None:
    old, new = record(24 * 3, name="old"), record(name="new")
    where = situation(new, old, applied={"d": True, "e": True}, before={"d": old})
    decision = judge([change(digest=digest) for digest in "def"], where)
    assert {digest: ways["db"].standing for digest, ways in decision.ways.items()} == {
        "d": "before",
        "e": "after",
        "f": "fresh",
    }
    assert decision.ways["d"]["db"].record is old


severities = st.sampled_from(Severity)
evidences = st.builds(
    Evidence,
    st.dictionaries(st.sampled_from("de"), st.just("waived by Ada: old")),
    st.dictionaries(st.sampled_from("de"), st.dictionaries(st.sampled_from(["db", "other"]), st.just("b"))),
    st.dictionaries(st.sampled_from("de"), st.just((FLAW,))),
)
situations = st.builds(
    lambda records, unchanged, exists, seen, empty, required, applied: situation(
        *records,
        unchanged=unchanged,
        exists=exists,
        seen=seen,
        declared_empty=empty,
        required=required,
        applied={"d": applied},
    ),
    st.lists(
        st.builds(
            record,
            st.floats(-2, 60),
            verified=st.booleans(),
            kind=st.sampled_from(BackupKind),
            present=st.booleans(),
        ),
        max_size=3,
    ),
    *[st.booleans()] * 5,
    st.sampled_from([True, False, None]),
)


@given(severities, severities, situations, evidences)
def test_a_worse_severity_never_loosens_the_verdict(
    one: Severity, other: Severity, where: Situation, evidence: Evidence
) -> None:
    worse, milder = sorted((one, other), key=lambda severity: severity.rank)
    if judge([change(worse)], where, evidence=evidence).allowed:
        assert judge([change(milder)], where, evidence=evidence).allowed


@given(severities, situations, evidences)
def test_flaws_and_other_evidence_never_open_the_gate(severity: Severity, where: Situation, evidence: Evidence) -> None:
    about_others = replace(evidence, waived={}, attested={"e": evidence.attested.get("e", {})})
    assert judge([change(severity)], where, evidence=about_others).allowed == judge([change(severity)], where).allowed


@given(severities.filter(lambda s: s is not Severity.NOTICE), situations)
def test_nothing_passes_without_a_fresh_backup_or_a_declared_absence(severity: Severity, where: Situation) -> None:
    decision = judge([change(severity)], where)
    if decision.allowed and where.exists:
        assert decision.backups
        assert all(r.verified_at and r.files_present for r in decision.backups)
    elif decision.allowed:
        assert where.declared_empty
        assert not where.required
        assert not where.seen


GRAPH = {"a": Revision("a", (), ()), "b": Revision("b", ("a",), ()), "c": Revision("c", ("b",), ())}


@pytest.mark.parametrize(
    ("revision", "heads", "expected"),
    [
        ("c", ["b"], False),
        ("c", ["c"], True),
        ("a", ["c"], True),
        ("c", [], None),
        ("c", ["nobody knows"], None),
    ],
)
def test_an_alembic_change_is_judged_by_the_graph(revision: str, heads: list[str], expected: bool | None) -> None:
    assert is_applied(change(revision=revision), heads, (), GRAPH) is expected


@pytest.mark.parametrize(
    ("effects", "live", "ever", "expected"),
    [
        ([("table:t", True)], ["table:t"], [], True),
        ([("table:t", True)], [], [], False),
        ([("table:t", False)], ["table:t"], [], False),
        ([("table:t", False)], [], [], None),
        ([("table:t", False)], [], ["table:t"], True),
        ([("table:t", True), ("table:u", False)], ["table:t"], [], True),
        ([("table:t", True), ("table:u", True)], ["table:t"], [], False),
        ([], ["table:t"], ["table:t"], None),
    ],
)
def test_any_other_change_is_judged_by_all_of_its_effects(
    effects: list[tuple[str, bool]], live: list[str], ever: list[str], expected: bool | None
) -> None:
    asked = change(effects=tuple(Effect(*effect) for effect in effects))
    assert is_applied(asked, (), live, {}, ever) is expected


def test_the_way_back_is_the_newest_verified_backup_that_surely_lacks_the_change() -> None:
    asked = change(revision="c")
    late = record(1, revisions=("c",), name="late")
    unclear = record(2, revisions=("nobody knows",), name="unclear")
    failed = record(3, revisions=("b",), verified=False, name="failed")
    gone = record(4, revisions=("b",), present=False, name="gone")
    good = record(5, revisions=("b",), name="good")
    older = record(6, revisions=("a",), name="older")
    found = newest_before(asked, [late, unclear, failed, gone, good, older], GRAPH)
    assert found
    assert found.backup.id == "good"
    assert newest_before(asked, [late, unclear, failed, gone], GRAPH) is None
