"""The gate: changes, ledger and policy joined into a decision; the same engine in the hooks, in CI and in env.py."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import apsw

from ics_guard import evidence, git, known, ledger, policy
from ics_guard.applied import ever_present, is_applied, newest_before
from ics_guard.backup import adopt, lost_ledger, records_of, refuse_tracked, take_backup
from ics_guard.config import Source
from ics_guard.detect import detect, unread
from ics_guard.detect.alembic import Revision, read_revision
from ics_guard.detect.rules import RULES
from ics_guard.errors import ConfigError, IcsGuardError, LedgerError, SourceError, StoreError
from ics_guard.git import Diff, FileChange
from ics_guard.model import BackupKind, BackupRecord, Change, Decision, Kind, Reason, Situation
from ics_guard.project import Project, utc_now
from ics_guard.report.documents import gate_document
from ics_guard.sources.sqlite import rawfile
from ics_guard.sources.sqlite.facts import read_live_objects
from ics_guard.sources.sqlite.holders import find_holders, in_words


@dataclass(frozen=True)
class Findings:
    """The changes of a diff, and the Alembic revisions that the diff's own files hold."""

    changes: tuple[Change, ...]
    revisions: Mapping[str, Revision]


def find_changes(project: Project, *diffs: Diff) -> Findings:
    """Given diffs, return their schema-impacting changes, severities by policy, sources attached."""
    _refuse_unknown_rules(project)
    watch = project.config.watch
    relevant = [
        file
        for file in dict.fromkeys(file for diff in diffs for file in diff.files)
        if any(_kind_of(project, file, path) for path in file.paths)
    ]
    blobs = git.read_contents(project.repository, relevant)
    changes: list[Change] = []
    revisions: dict[str, Revision] = {}
    for file in relevant:
        before = blobs[file.before] if file.before else None
        after = blobs[file.after] if file.after else None
        changes += _detect_file(project, file, before, after)
        if Kind.ALEMBIC in (watch.kind_of(file.path), watch.kind_of(file.previous_path or "")):
            for content in (before, after):
                if content is not None and (revision := read_revision(content)):
                    revisions[revision.revision] = revision
    ruled = policy.with_rules(changes, project.environment.policy.rules)
    sourced = {
        (change.path, change.digest): replace(change, sources=_guarding(project, change.path)) for change in ruled
    }
    return Findings(tuple(sourced.values()), revisions)


def _refuse_unknown_rules(project: Project) -> None:
    for name in project.environment.policy.rules:
        if name not in RULES:
            near = difflib.get_close_matches(name, RULES, 1, 0.0)
            raise ConfigError(
                "unknown-rule", f"there is no rule {name!r} for [policy.rules]", f"did you mean {near[0]}?"
            )


def judge(project: Project, findings: Findings, waived: frozenset[str] = frozenset()) -> Decision:
    """Given changes, return the decision as things stand now; nothing is written."""
    needed = {name for change in findings.changes for name in change.sources}
    rules = project.environment.policy
    asking = [change for change in findings.changes if change.severity in rules.require_backup]
    if not asking:
        return Decision(True, (), findings.changes)
    try:
        records = ledger.records(ledger.read(project.store), project.store)
        situations = {
            name: _situation(project, project.environment.sources[name], findings, records) for name in sorted(needed)
        }
    except (LedgerError, StoreError) as error:
        return Decision(False, (Reason(error.code, "", error.message, error.fix),), findings.changes)
    decision = policy.decide(findings.changes, situations, rules, utc_now(), project.began, waived)
    return replace(decision, reasons=(*decision.reasons, *lost_ledger(project)))


def pass_or_block(project: Project, findings: Findings, *, via: str, waived: frozenset[str] = frozenset()) -> Decision:
    """Given changes, make the backups that are missing if policy says so, decide, and write the decision down.

    A backup that cannot be made is a reason to block, not an error. Without changes nothing is written.
    """
    if not findings.changes:
        return Decision(True, (), ())
    decision = judge(project, findings, waived)
    if not decision.allowed and project.environment.policy.on_missing == "create":
        decision = _mend(project, findings, waived, decision)
    names = ",".join(sorted({name for change in findings.changes for name in change.sources}))
    try:
        project.record("gate", names, _summary(decision, via))
    except (StoreError, LedgerError) as error:
        # The verdict must be the same where the ledger can only be read; that nothing was recorded is said.
        said = f"the decision is not in the ledger: {error.message}"
        unrecorded = Reason("not-recorded", "", said, error.fix, blocking=False)
        return replace(decision, reasons=(*decision.reasons, unrecorded))
    return decision


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
    records = ledger.records(ledger.read(project.store), project.store)
    situation = _situation(project, source, Findings((), {}), records)
    if not situation.exists or situation.problem:
        return None, tuple(policy.absent_or_broken(situation))
    record, unmet = policy.why_not_fresh(situation, project.environment.policy, utc_now(), project.began)
    return (None if unmet else record), unmet


def waived_in(project: Project, *diffs: Diff) -> frozenset[str]:
    """Given diffs, return the digests of changes that valid waivers at their heads answer for."""
    held = git.read_folders(project.repository, evidence.FOLDER, (diff.head for diff in diffs if diff.head))
    documents = dict.fromkeys(one for files in held.values() for one in files.values())
    if any(diff.head is None for diff in diffs):
        documents |= dict.fromkeys(git.read_folder(project.repository, evidence.FOLDER, None))
    return evidence.waived(documents, project.environment.name, utc_now())


def _detect_file(project: Project, file: FileChange, before: bytes | None, after: bytes | None) -> list[Change]:
    watch = project.config.watch
    kind = _kind_of(project, file, file.path)
    if file.opaque:
        return unread(kind, file.path, before, after) if kind and before != after else []
    if not file.previous_path or file.previous_path == file.path:
        return detect(kind, file.path, before, after) if kind else []
    previous_kind = watch.kind_of(file.previous_path)
    if kind and kind is previous_kind:
        return detect(kind, file.path, before, after, previous_path=file.previous_path)
    gone = detect(previous_kind, file.previous_path, before, None) if previous_kind else []
    return gone + (detect(kind, file.path, None, after) if kind else [])


def _kind_of(project: Project, file: FileChange, path: str) -> Kind | None:
    watch = project.config.watch
    kind = watch.kind_of(path)
    return watch.kind_below(path, named=file.opaque == git.SYMLINK) if file.opaque and not kind else kind


def _guarding(project: Project, path: str) -> tuple[str, ...]:
    sources = project.environment.sources.values()
    return tuple(source.name for source in sources if source.gate and source.guards_path(path))


def _situation(project: Project, source: Source, findings: Findings, records: tuple[BackupRecord, ...]) -> Situation:
    environment = project.environment
    memory = known.load(project.repository.common_dir).source(environment.name, source.name)
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
    )
    try:
        path = project.source_path(source)
        mine = records_of(project, source, records)
        situation = replace(situation, path=path, records=mine, seen=situation.seen or bool(mine))
        if not path.exists() and not path.is_symlink():
            return replace(situation, problem=moved(source, path, memory))
        rawfile.read_header(path)
        refuse_tracked(project, path)
        return replace(situation, exists=True, **_look(project, path, findings, mine))
    except (SourceError, ConfigError) as error:
        return replace(situation, exists=True, problem=Reason(error.code, source.name, error.message, error.fix))


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


def revision_graph(project: Project) -> dict[str, Revision]:
    """Return every Alembic revision in the watched folders of the work tree, by its id."""
    found: dict[str, Revision] = {}
    for folder in project.config.watch.alembic_folders:
        for file in sorted((project.repository.root / folder).rglob("*.py")):
            if revision := read_revision(file.read_bytes()):
                found[revision.revision] = revision
    return found


def _mend(project: Project, findings: Findings, waived: frozenset[str], decision: Decision) -> Decision:
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
    again = judge(project, findings, waived)
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
