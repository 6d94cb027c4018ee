"""decide(): may these changes pass? Pure: what is known comes in, a decision with its reasons goes out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from ics_guard.config import Policy
from ics_guard.model import BackupKind, BackupRecord, Change, Decision, Evidence, Kind, Reason, Severity, Situation, Way
from ics_guard.words import age_in_words, moment

ABOUT_THE_PAST = frozenset({"applied-unprotected", "cannot-tell"})
"""Reasons that a backup made now does not mend, and does not suffer from: it is still worth having."""

MOVED = "config.moved"
"""The rule of a change after which the data, or the backups, are looked for in another place."""

ANSWERED_BY_EVIDENCE = frozenset({"never-seen", "evidence-needed"})
"""Reasons that fall away where a machine which has the data has said that there is a way back."""
_ATTEST = "where the data is: ics-guard attest --env {env} --range BASE..HEAD, then commit what it writes"
_LINKS = {"waived": ("", ""), "attested": ("rests on ", "rest on ")}
_NO_EVIDENCE = Evidence()
_CLOCK_SLACK = timedelta(minutes=5)


def with_rules(changes: Iterable[Change], rules: Mapping[str, Severity]) -> tuple[Change, ...]:
    """Given changes and the policy's own severities by rule id, return the changes with these severities.

    What is about the gate itself keeps its own: no policy speaks for its own loosening.
    """
    return tuple(
        change if change.kind is Kind.CONFIG else replace(change, severity=rules.get(change.rule, change.severity))
        for change in changes
    )


def asks(change: Change, policy: Policy) -> bool:
    """Given a change, return whether policy asks for a way back before it. It always does for the gate itself."""
    return change.kind is Kind.CONFIG or change.severity in policy.require_backup


def decide(
    changes: tuple[Change, ...],
    situations: Mapping[str, Situation],
    policy: Policy,
    now: datetime,
    began: datetime,
    evidence: Evidence = _NO_EVIDENCE,
) -> Decision:
    """Given changes, what is known of each source, and the policy, return the decision.

    `now` is the moment of judgement, `began` when the command began: an image taken after it needs no proof that
    nothing was written since. `evidence` is what the commit itself brings: a waiver always counts, an attestation only
    for a source that cannot be seen from here.
    """
    reasons: list[Reason] = []
    ways: dict[str, dict[str, Way]] = defaultdict(dict)
    asking = [change for change in changes if asks(change, policy)]
    told = [change for change in changes if change.kind is Kind.CONFIG or change.severity is not Severity.NOTICE]
    reasons += [_unguarded(change) for change in told if not change.sources]
    unwaived = [change for change in asking if change.digest not in evidence.waived]
    reasons += _said("waived", "", (evidence.waived[c.digest] for c in asking if c.digest in evidence.waived))
    for name, situation in situations.items():
        mine = [change for change in unwaived if name in change.sources]
        if mine and (situation.problem or not situation.exists):
            reasons += _unseen(situation, mine, evidence)
        elif mine:
            reasons += _judge(situation, mine, policy, now, began, ways)
            reasons += _unknown_places(situation, [c for c in mine if name not in evidence.attested.get(c.digest, {})])
    if any(reason.blocking for reason in reasons):  # what was meant to help and does not is worth knowing only then
        flaws = (flaw for change in unwaived for flaw in evidence.flaws.get(change.digest, ()))
        reasons += dict.fromkeys(flaws)
    allowed = not any(reason.blocking for reason in reasons)
    used = {way.record.backup.id: way.record for found in ways.values() for way in found.values()}
    return Decision(allowed, tuple(reasons), changes, tuple(used.values()), ways)


def why_not_fresh(
    situation: Situation, policy: Policy, now: datetime, began: datetime
) -> tuple[BackupRecord | None, tuple[Reason, ...]]:
    """Given a source, return its fresh backup and (), or its newest candidate and every unmet condition."""
    backups = [record for record in situation.records if record.backup.kind is BackupKind.BACKUP]
    fix = f"ics-guard backup {situation.source}"
    if not backups:
        return None, (_missing("no-backup", situation, f"{situation.source} has no backup yet", fix),)
    verified = [record for record in backups if record.verified_at]
    if not verified:
        newest = backups[0].backup.id
        said = f"no backup of {situation.source} has passed a drill (newest: {newest})"
        return backups[0], (_missing("not-verified", situation, said, fix),)
    unmet: dict[str, tuple[Reason, ...]] = {}
    for record in verified:
        unmet[record.backup.id] = tuple(_unmet(record, situation, policy, now, began, fix))
        if not unmet[record.backup.id]:
            return record, ()
    return verified[0], unmet[verified[0].backup.id]


def _judge(
    situation: Situation,
    changes: list[Change],
    policy: Policy,
    now: datetime,
    began: datetime,
    ways: dict[str, dict[str, Way]],
) -> list[Reason]:
    applied = [change for change in changes if situation.applied.get(change.digest)]
    protected = [change for change in applied if change.digest in situation.before]
    reasons: list[Reason] = []
    for change in protected:
        ways[change.digest][situation.source] = Way(situation.before[change.digest], "before")
    for way in {situation.before[c.digest].backup.id: situation.before[c.digest] for c in protected}.values():
        age = age_in_words(now - way.backup.imaged_at)
        said = f"already applied to {situation.source}; the way back is {way.backup.id}, taken {age} ago, before it"
        fix = f"ics-guard restore {way.backup.id}"
        reasons.append(Reason("already-applied", situation.source, said, fix, blocking=False))
    unprotected = [change for change in applied if change.digest not in situation.before]
    unclear = [change for change in changes if situation.strange_heads and _cannot_tell(situation, change)]
    if unclear:
        reasons.append(_unclear(situation, unclear[0]))
    destructive = [change for change in unprotected if change.severity is Severity.DESTRUCTIVE]
    reasons += [_unprotected(situation, some) for some in (destructive, _without(unprotected, destructive)) if some]
    if len(protected) < len(changes):
        record, unmet = why_not_fresh(situation, policy, now, began)
        if record and not unmet:
            for change in _without(changes, protected):
                ways[change.digest][situation.source] = Way(record, "after" if change in applied else "fresh")
        reasons += unmet
    return reasons


def _unknown_places(situation: Situation, changes: Iterable[Change]) -> Iterable[Reason]:
    """What a change brings, or points at, is no data to rest on: a backup of it would prove nothing."""
    name, where = situation.source, f"env.{situation.env}"
    known = {f"{where}.sources.{name}.path": situation.known_path, f"{where}.store": situation.known_store}
    if any(change.rule == MOVED and not known.get(change.object, True) for change in changes):
        said = f"{name} is looked for in another place by this change, and this clone has kept no backup from there"
        attest = _ATTEST.format(env=situation.env)
        yield Reason("place-unknown", name, said, f"ics-guard backup {name}   (if that is your data); in CI: {attest}")


def _unguarded(change: Change) -> Reason:
    return Reason(
        "unguarded-path",
        "",
        f"{change.path} changes a schema, and no source answers for it",
        "add its path to `guards` of the source it belongs to, or to `exclude`, in ics-guard.toml",
    )


def _unseen(situation: Situation, changes: list[Change], evidence: Evidence) -> list[Reason]:
    """A source that is not here. Where its data never was, evidence from a place that has it will do."""
    told = absent_or_broken(situation)
    if not any(reason.code in ANSWERED_BY_EVIDENCE for reason in told):
        return told
    attested = [evidence.attested.get(change.digest, {}).get(situation.source) for change in changes]
    if None in attested:
        lacking = [change for change, way in zip(changes, attested, strict=True) if way is None]
        return [_with_count(reason, lacking) for reason in told]
    return _said("attested", situation.source, (way for way in attested if way))


def _with_count(reason: Reason, lacking: list[Change]) -> Reason:
    first = lacking[0]
    more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
    named = f"{first.operation} {first.object}".rstrip() + f" ({first.path}:{first.line}){more}"
    return replace(reason, message=f"{reason.message}, and no evidence in this commit answers for {named}")


def _said(code: str, source: str, words: Iterable[str]) -> list[Reason]:
    """Nothing passes silently: one note for each thing that is relied on, with how many changes rely on it."""
    one, many = _LINKS[code]
    return [
        Reason(code, source, f"1 change {one}{said}" if count == 1 else f"{count} changes {many}{said}", "", False)
        for said, count in Counter(words).items()
    ]


def absent_or_broken(situation: Situation) -> list[Reason]:
    """Given a source that is not there or cannot be used, return what that means for a gate."""
    return [situation.problem or _absent(situation)]


def _absent(situation: Situation) -> Reason:
    name, attest = situation.source, _ATTEST.format(env=situation.env or "NAME")
    if situation.seen:
        return Reason(
            "source-lost",
            name,
            f"{name} was at {situation.path} and is gone",
            f"ics-guard restore latest --source {name}",
        )
    if situation.required or situation.unseen:
        why = f"{name} cannot be looked at from here"
        if situation.unseen:  # nor from anywhere else: an attestation is what a machine with this ics-guard can see
            fix = f'in writing only: ics-guard waive --env {situation.env} --reason "…"'
            return Reason("evidence-needed", name, f"{why}: {situation.unseen}", fix)
        return Reason("evidence-needed", name, why, attest)
    if situation.declared_empty:
        return Reason("no-data", name, f"{name}: init recorded that there is no data here", "", blocking=False)
    return Reason(
        "never-seen",
        name,
        f"{name} has never been seen from this clone: there is no database at {situation.path}",
        f"ics-guard init   (it finds the data, or records that there is none here); in CI: {attest}",
    )


def _without(changes: list[Change], others: list[Change]) -> list[Change]:
    return [change for change in changes if change not in others]


def _unprotected(situation: Situation, changes: list[Change]) -> Reason:
    """One reason for several changes, either all destructive or none."""
    blocking = changes[0].severity is Severity.DESTRUCTIVE
    first = changes[0]
    more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
    named = f"{first.operation} {first.object} ({first.path}:{first.line}){more}"
    are = "are" if more else "is"
    return Reason(
        "applied-unprotected",
        situation.source,
        f"{named} {are} already applied to {situation.source}, and no verified backup from before exists",
        'ics-guard waive --reason "…"   (says in the commit that this loss is accepted)' if blocking else "",
        blocking=blocking,
    )


def _cannot_tell(situation: Situation, change: Change) -> bool:
    told = situation.applied.get(change.digest) is not None
    return change.severity is Severity.DESTRUCTIVE and change.revision is not None and not told


def _unclear(situation: Situation, change: Change) -> Reason:
    heads = ", ".join(situation.strange_heads)
    return Reason(
        "cannot-tell",
        situation.source,
        f"{situation.source} stands at revision {heads}, which this work tree does not have, so whether "
        f"{change.operation} {change.object} ({change.path}:{change.line}) is already applied cannot be told",
        'bring that revision\'s file back, or accept it in writing: ics-guard waive --reason "…"',
    )


def _unmet(
    record: BackupRecord, situation: Situation, policy: Policy, now: datetime, began: datetime, fix: str
) -> Iterable[Reason]:
    backup = record.backup
    age = now - backup.imaged_at
    if not record.files_present:
        yield _missing("files-missing", situation, f"files of backup {backup.id} are gone from the store", fix)
    if age >= policy.rpo:
        said = f"the newest verified backup of {situation.source} is {age_in_words(age)} old"
        yield _missing("stale", situation, f"{said} (allowed: {age_in_words(policy.rpo)})", fix)
    if age < -_CLOCK_SLACK:
        said = f"backup {backup.id} claims to be from the future ({moment(backup.imaged_at)}): a clock is wrong"
        yield _missing("clock", situation, said, fix)
    if record.verified_at and now - record.verified_at >= policy.redrill:
        since = age_in_words(now - record.verified_at)
        said = f"backup {backup.id} was last drilled {since} ago"
        yield _missing("redrill-due", situation, said, f"ics-guard drill {backup.id}")
    current = policy.current if policy.current is not None else situation.kind == "sqlite"
    # One that claims to be later than now was not imaged by this command: some clock went back.
    if current and backup.id not in situation.unchanged and not began <= backup.imaged_at <= now:
        said = f"{situation.source} was written to since its newest verified backup ({age_in_words(age)} ago)"
        yield _missing("changed-since", situation, said, fix)


def _missing(code: str, situation: Situation, message: str, fix: str) -> Reason:
    return Reason(code, situation.source, message, fix, creatable=True)
