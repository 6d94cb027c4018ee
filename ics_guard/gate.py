"""The gate: changes, ledger and policy joined into a decision; the same engine in the hooks, in CI and in env.py."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw

from ics_guard import known, ledger, policy
from ics_guard.applied import ever_present, is_applied, newest_before
from ics_guard.backup import adopt, lost_ledger, records_of, refuse_tracked, refuse_tracked_store, take_backup
from ics_guard.changes import Findings
from ics_guard.config import Source
from ics_guard.detect.alembic.revision import Revision, ancestors, read_revision
from ics_guard.detect.rules import RULES
from ics_guard.errors import ConfigError, IcsGuardError, LedgerError, SourceError, StoreError
from ics_guard.model import BackupKind, BackupRecord, Change, Decision, Evidence, Reason, Situation
from ics_guard.project import Project, utc_now
from ics_guard.report.documents import gate_document
from ics_guard.sources.sqlite import rawfile
from ics_guard.sources.sqlite.facts import read_live_objects
from ics_guard.sources.sqlite.holders import find_holders, in_words

_NO_EVIDENCE = Evidence()


def judge(project: Project, findings: Findings, evidence: Evidence = _NO_EVIDENCE) -> Decision:
    """Given changes, return the decision as things stand now; nothing is written."""
    rules = project.environment.policy
    needed = {name for change in findings.changes if policy.asks(change, rules) for name in change.sources}
    try:
        records = _records(project, needed)
        situations = {
            name: _situation(project, project.environment.sources[name], findings, records) for name in sorted(needed)
        }
        lost = lost_ledger(project) if records is not None and needed else ()
    except (LedgerError, StoreError) as error:
        return Decision(False, (Reason(error.code, "", error.message, error.fix),), findings.changes)
    decision = policy.decide(findings.changes, situations, rules, utc_now(), project.began, evidence)
    return replace(decision, reasons=(*decision.reasons, *lost))


def _records(project: Project, needed: Collection[str]) -> tuple[BackupRecord, ...] | None:
    """All backups; None where the store is of no use from here and none of the sources can be seen from here either."""
    try:
        if needed:
            refuse_tracked_store(project)
        return ledger.records(ledger.read(project.store), project.store) if needed else ()
    except StoreError as error:
        if error.code == "store-kind" and not any(_is_here(project, name) for name in needed):
            return None
        raise


def _is_here(project: Project, name: str) -> bool:
    source = project.environment.sources[name]
    return source.kind == "sqlite" and os.path.lexists(project.source_path(source))


def pass_or_block(project: Project, findings: Findings, *, via: str, evidence: Evidence = _NO_EVIDENCE) -> Decision:
    """Given changes, make the backups that are missing if policy says so, decide, and write the decision down.

    A backup that cannot be made is a reason to block, not an error. Without changes nothing is written.
    """
    if not findings.changes:
        return Decision(True, (), ())
    decision = judge(project, findings, evidence)
    if not decision.allowed and project.environment.policy.on_missing == "create":
        decision = _mend(project, findings, evidence, decision)
    names = ",".join(sorted({name for change in findings.changes for name in change.sources}))
    if not _has_met_data(project):  # a checkout in CI: what would be written here nobody would ever read
        return decision
    try:
        project.record("gate", names, _summary(decision, via))
    except (StoreError, LedgerError) as error:
        # The verdict must be the same where the ledger can only be read; that nothing was recorded is said.
        said = f"the decision is not in the ledger: {error.message}"
        unrecorded = Reason("not-recorded", "", said, error.fix, blocking=False)
        return replace(decision, reasons=(*decision.reasons, unrecorded))
    return decision


def _has_met_data(project: Project) -> bool:
    env, sources = project.environment.name, project.environment.sources
    memory = known.load(project.repository.common_dir)
    return any(memory.source(env, name) or _is_here(project, name) for name in sources) or memory.head(env) is not None


def with_fresh_way_back(project: Project, decision: Decision) -> Decision:
    """Given a decision, add for a deploy what keeps each gating source from having a fresh way back right now."""
    reasons = list(decision.reasons)
    backups = {record.backup.id: record for record in decision.backups}
    for source in project.select():
        record, unmet = fresh_way_back(project, source)
        reasons += [reason for reason in unmet if reason not in reasons]
        if record:
            backups[record.backup.id] = record
    allowed = not any(reason.blocking for reason in reasons)
    return replace(decision, allowed=allowed, reasons=tuple(reasons), backups=tuple(backups.values()))


def fresh_way_back(project: Project, source: Source) -> tuple[BackupRecord | None, tuple[Reason, ...]]:
    """Given a source, return its fresh backup and (), or None and every reason why there is none right now."""
    try:
        records = _records(project, [source.name])
    except (LedgerError, StoreError) as error:
        return None, (Reason(error.code, source.name, error.message, error.fix),)
    situation = _situation(project, source, Findings((), {}, {}), records)
    if not situation.exists or situation.problem:
        return None, tuple(_from_elsewhere(reason) for reason in policy.absent_or_broken(situation))
    record, unmet = policy.why_not_fresh(situation, project.environment.policy, utc_now(), project.began)
    return (None if unmet else record), unmet


def _from_elsewhere(reason: Reason) -> Reason:
    """No evidence makes a way back fresh now: who deploys has to be where the data can be reached."""
    if reason.code not in policy.ANSWERED_BY_EVIDENCE:
        return reason
    return replace(reason, fix="run this gate where the data can be reached, before the deployment")


def _situation(
    project: Project, source: Source, findings: Findings, records: tuple[BackupRecord, ...] | None
) -> Situation:
    environment = project.environment
    remembered = known.load(project.repository.common_dir)
    memory, head = remembered.source(environment.name, source.name), remembered.head(environment.name)
    situation = Situation(
        source=source.name,
        kind=source.kind,
        required=environment.required,
        exists=False,
        seen=bool(memory and memory.seen_at),
        declared_empty=bool(memory and memory.declared_empty),
        problem=None,
        records=(),
        unchanged=frozenset(),
        applied={},
        before={},
        env=environment.name,
        known_store=records is not None and head is not None and head.store == project.store.location,
    )
    if source.kind != "sqlite":
        said = f"it is of kind {source.kind}, and this version looks at SQLite databases only"
        return replace(situation, unseen=said)
    try:
        path = project.source_path(source)
        mine = records_of(project, source, records or ())
        known_path = bool(memory and memory.seen_at and memory.path == str(path))
        situation = replace(
            situation, path=path, records=mine, seen=situation.seen or bool(mine), known_path=known_path
        )
        if not path.exists() and not path.is_symlink():
            return replace(situation, problem=moved(source, path, memory))
        rawfile.read_header(path)
        refuse_tracked(project, path)
        return replace(situation, exists=True, **_look(project, path, findings, mine))
    except (SourceError, ConfigError) as error:
        return replace(situation, exists=True, problem=Reason(error.code, source.name, error.message, error.fix))
    except OSError as error:
        said = f"{situation.path or source.path} cannot be looked at: {error.strerror}"
        reason = Reason("source-unreadable", source.name, said, f"check `path` of {source.name} in ics-guard.toml")
        return replace(situation, exists=True, problem=reason)


def moved(source: Source, path: Path, memory: known.KnownSource | None) -> Reason | None:
    """Given a source without data, return what is wrong if its data still is where this clone last saw it."""
    if memory is None or not memory.path or not memory.seen_at or not Path(memory.path).exists():
        return None
    said = f"{source.name} is at {memory.path}, and ics-guard.toml says {path}, where there is nothing"
    return Reason("path-changed", source.name, said, f"set `path` of {source.name} back in ics-guard.toml, or move it")


def _look(project: Project, path: Path, findings: Findings, records: tuple[BackupRecord, ...]) -> dict[str, Any]:
    """Ask the live database which changes it already has, and by its fingerprint which backups still show it."""
    now = rawfile.fingerprint(path)
    unchanged = frozenset(r.backup.id for r in records if now and r.backup.fingerprint == now)
    if rawfile.has_hot_journal(path):
        return {"unchanged": frozenset()}  # the schema is only certain after the rollback that a backup makes
    try:
        heads, objects = read_live_objects(path)
    except (apsw.BusyError, apsw.LockedError) as error:
        said = f"{path} is kept locked by {in_words(find_holders(path))}, so it cannot be asked what it holds"
        raise SourceError("source-locked", said, "let it finish or stop it, then try again") from error
    except apsw.Error as error:
        raise SourceError(
            "source-unreadable",
            f"SQLite cannot read {path}: {error}",
            "if it is damaged: ics-guard restore latest",
        ) from error
    graph = {**revision_graph(project), **findings.revisions}
    ever = ever_present(records)
    applied = {c.digest: is_applied(c, heads, objects, graph, ever) for c in findings.changes}
    before = {
        change.digest: record
        for change in findings.changes
        if applied[change.digest] and (record := newest_before(change, records, graph))
    }
    strange = tuple(head for head in heads if head not in graph)
    return {"unchanged": unchanged, "applied": applied, "before": before, "strange_heads": strange}


def applied_edits(project: Project, findings: Findings) -> tuple[Change, ...]:
    """Given findings, return one more change for each edited revision that a database which can be seen has applied."""
    if not findings.edited:
        return ()
    graph = {**revision_graph(project), **findings.revisions}
    standing = {name: _applied_in(project, name, graph) for name in project.environment.sources}
    found = []
    for revision, change in findings.edited.items():
        where = tuple(name for name in change.sources if revision in standing[name])
        if where:
            found.append(_applied_edit(change, revision, where))
    return policy.with_rules(found, project.environment.policy.rules)


def _applied_edit(change: Change, revision: str, where: tuple[str, ...]) -> Change:
    rule = "alembic.applied_edited"
    told = RULES[rule]
    return replace(
        change,
        rule=rule,
        operation="edit_applied_revision",
        object=revision,
        severity=told.severity,
        reason=told.reason,
        digest=hashlib.sha256(f"{rule}\n{change.digest}".encode()).hexdigest(),
        revision=revision,
        effects=(),
        sources=where,
    )


def _applied_in(project: Project, name: str, graph: dict[str, Revision]) -> frozenset[str]:
    """The revisions that a database has applied: none where that cannot be told, which is another reason's business."""
    if not _is_here(project, name):
        return frozenset()
    try:
        heads, _ = read_live_objects(project.source_path(project.environment.sources[name]))
    except (apsw.Error, SourceError):
        return frozenset()
    return ancestors(graph, heads) or frozenset()


def revision_graph(project: Project) -> dict[str, Revision]:
    """Return every Alembic revision in the watched folders of the work tree, by its id."""
    found: dict[str, Revision] = {}
    for folder in project.config.watch.alembic_folders:
        for file in sorted((project.repository.root / folder).rglob("*.py")):
            if not file.is_file() or file.is_symlink():  # where a link leads is for git to tell
                continue
            if revision := read_revision(file.read_bytes()):
                found[revision.revision] = revision
    return found


def _mend(project: Project, findings: Findings, evidence: Evidence, decision: Decision) -> Decision:
    """Back up every source whose only trouble a backup mends, and judge again."""
    lacking = {reason.source for reason in decision.reasons if reason.blocking and reason.creatable}
    hopeless = {
        reason.source
        for reason in decision.reasons
        if reason.blocking and not reason.creatable and reason.code not in policy.ABOUT_THE_PAST
    }
    failures: list[Reason] = []
    adopt(project)
    for name in sorted(lacking - hopeless):
        try:
            take_backup(project, project.environment.sources[name], BackupKind.BACKUP, "")
        except IcsGuardError as error:
            failures.append(Reason(error.code, name, error.message, error.fix))
    again = judge(project, findings, evidence)
    return replace(again, allowed=again.allowed and not failures, reasons=(*failures, *again.reasons))


def _summary(decision: Decision, via: str) -> dict[str, Any]:
    document = gate_document(decision)
    kept = ("path", "line", "operation", "object", "severity", "digest")
    return {
        "via": via,
        "verdict": document["verdict"],
        "reasons": document["reasons"],
        "backups": [backup["id"] for backup in document["backups"]],
        "changes": [{name: change[name] for name in kept} for change in document["changes"]],
    }
