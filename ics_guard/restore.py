"""Restore: plan, safety copy, put back, checks, smoke, and back again by itself when any of that fails.

One plan feeds the preview and the execution. Until the safety copy stands and the write lock is held nothing is
touched; what is touched is whole before and whole after, so the live database is always one of the two.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import apsw

from ics_guard import ledger, session_log
from ics_guard.backup import take_backup
from ics_guard.drill import drill_stream
from ics_guard.errors import BackupError, IcsGuardError, RestoreError, RevertError, SourceError, StoreError, UsageError
from ics_guard.model import Backup, BackupKind, BackupRecord, Check
from ics_guard.plan import Plan, damaged, stage
from ics_guard.project import Project
from ics_guard.salvage import SUFFIX_OF_ROLE, salvage
from ics_guard.smoke import run_command, run_smoke
from ics_guard.sources.sqlite import putback, rawfile
from ics_guard.sources.sqlite.checks import check_image
from ics_guard.sources.sqlite.holders import find_holders, in_words
from ics_guard.sources.sqlite.image import take_image

_MOST_SAFETY_COPIES = 5


@dataclass(frozen=True)
class Outcome:
    """How a restore ended: the live data is the backup ("restored") or what it was before ("reverted")."""

    outcome: str
    backup: Backup
    safety: Backup | None
    checks: tuple[Check, ...]
    seconds: float
    failure: str = ""


def unpack_into(project: Project, record: BackupRecord, target: Path) -> tuple[Check, ...]:
    """Given a backup, restore it to a new file and check it there; the live database is not touched.

    Raise `UsageError` if the file exists, `RestoreError` if the backup does not pass its checks (nothing is left).
    """
    if target.exists():
        raise UsageError("target-exists", f"{target} exists already", "name a path that does not exist yet")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with project.store.open(record.backup.image.key) as stream:
            result = drill_stream(project, record.backup, stream, target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    if not result.ok:
        target.unlink()
        raise damaged(record.backup, result.checks)
    return result.checks


def execute(project: Project, plan: Plan) -> Outcome:
    """Given a plan, carry it out and return how it ended; the ledger and SESSIONS.md say so too.

    Raise `RestoreError` when nothing was touched or the previous state is back, `RevertError` when even that failed.
    """
    began = time.monotonic()
    with project.scratch() as scratch:
        staged, drilled = stage(project, plan.backup, scratch)
        _command(project, plan.source.stop, "stop")
        try:
            outcome = _replace_live(project, plan, staged, drilled)
        finally:
            _command(project, plan.source.start, "start")
    outcome = replace(outcome, seconds=round(time.monotonic() - began, 3))
    _write_down(project, plan, outcome)
    if outcome.failure:
        kept = f"; it is also kept as {outcome.safety.id}" if outcome.safety else ""
        raise RestoreError(
            "reverted",
            f"the restore of {plan.backup.id} did not pass: {outcome.failure}. The previous state is live again{kept}",
            "look at the check that failed, then restore another backup (`ics-guard ledger list`)",
        )
    return outcome


def _replace_live(project: Project, plan: Plan, staged: dict[str, Path], drilled: tuple[Check, ...]) -> Outcome:
    usable = plan.backup.kind is not BackupKind.SALVAGE
    try:
        if rawfile.has_hot_journal(plan.path) and not find_holders(plan.path):
            salvage(project, plan.source, plan.path)  # opening it, even to look, plays the journal back
        if usable and putback.can_overwrite(plan.path, staged[""]):
            safety = _overwrite(project, plan, staged[""])
        else:
            safety = _replace(project, plan, staged)
    except (apsw.Error, OSError, BackupError) as error:
        if isinstance(error, SourceError) and error.code == "source-locked":
            raise RestoreError(error.code, f"{error.message}; nothing was touched", error.fix) from error
        fix = error.fix if isinstance(error, IcsGuardError) else "see the cause, mend it, and run the restore again"
        raise RestoreError("not-restored", f"nothing was changed: {error}", fix) from error
    outcome = Outcome("restored", plan.backup, safety, drilled, 0.0)
    if not usable:
        return outcome
    try:
        checks, failure = _check_live(project, plan)
    except (apsw.Error, OSError, IcsGuardError) as error:
        checks, failure = (), f"the restored database cannot be read: {error}"
    if failure:
        _revert(project, plan, safety)
        return replace(outcome, outcome="reverted", checks=checks, failure=failure)
    return replace(outcome, checks=checks)


def _overwrite(project: Project, plan: Plan, image: Path) -> Backup:
    """Through SQLite, into the live file; another safety copy for as long as somebody commits in between."""
    for _ in range(_MOST_SAFETY_COPIES):
        watch = putback.Watch(plan.path)
        try:
            safety = _safety_copy(project, plan)
            project.progress.start(f"restoring {plan.source.name}", 0, image.stat().st_size / 200e6)
            putback.overwrite(image, plan.path, watch)
        except putback.CommittedMeanwhileError:
            project.progress.note("somebody wrote to it after the safety copy: taking another one")
            continue
        finally:
            watch.close()
        return safety
    raise RestoreError(
        "writers",
        f"{plan.source.name} is written to all the time by {in_words(find_holders(plan.path))}; nothing was changed",
        "stop the writer (or set `stop` and `start` for this source), then run the same restore again",
    )


def _safety_copy(project: Project, plan: Plan) -> Backup:
    """A verified backup of the live state, or a salvage where it cannot be drilled. The database is being watched."""
    try:
        return take_backup(project, plan.source, BackupKind.SAFETY, "", watched=True).backup
    except BackupError as error:
        if error.code not in {"source-damaged", "drill-failed", "hot-journal", "not-a-database", "source-tracked"}:
            raise
        project.progress.note(f"the live state cannot be drilled ({error.message}): keeping a salvage of its bytes")
        return salvage(project, plan.source, plan.path)


def _replace(project: Project, plan: Plan, staged: dict[str, Path]) -> Backup:
    """File by file, where SQLite cannot do it: nobody may hold the database, nor have written after the safety copy."""
    for _ in range(_MOST_SAFETY_COPIES):
        seen = rawfile.times(plan.path)
        kept = _copy_of_unwatched(project, plan)
        if find_holders(plan.path) or rawfile.times(plan.path) == seen:
            break
        project.progress.note("somebody wrote to it after the safety copy: taking another one")
    project.progress.start(f"restoring {plan.source.name}")
    if staged:
        putback.replace_files(staged, plan.path)
    else:
        putback.remove_files(plan.path)
    return kept


def _copy_of_unwatched(project: Project, plan: Plan) -> Backup:
    try:
        return take_backup(project, plan.source, BackupKind.SAFETY, "").backup
    except BackupError as error:
        if isinstance(error, StoreError):
            raise
        return salvage(project, plan.source, plan.path)


def _check_live(project: Project, plan: Plan) -> tuple[tuple[Check, ...], str]:
    """Return the checks of what is live now, and the first failure in words."""
    with project.scratch() as scratch:
        image = scratch / "live.db"
        project.progress.start(f"checking {plan.source.name}", 0, plan.backup.image.bytes / 400e6)
        take_image(plan.path, image)
        assert plan.backup.facts is not None  # noqa: S101 - only a salvage has none
        checks = check_image(image, plan.backup.facts, plan.source.unchecked)
    if find_holders(plan.path):
        # Whoever has it open may have written the moment the lock was gone: that is no failure of the restore.
        checks = tuple(
            replace(c, ok=True, detail=f"{c.detail} (in use: somebody may have written since)")
            if c.name in {"size", "contents"} and not c.ok
            else c
            for c in checks
        )
    checks += run_smoke(plan.source, plan.path, project.repository.root)
    failed = [f"{check.name}: {check.detail}" for check in checks if not check.ok]
    return checks, failed[0] if failed else ""


def _revert(project: Project, plan: Plan, safety: Backup) -> None:
    """Put the safety copy back. Raise `RevertError` with what to type when that fails too."""
    project.progress.note(f"the restored data did not pass: putting {safety.id} back")
    try:
        with project.scratch() as scratch:
            staged, _ = stage(project, safety, scratch)
            if not staged:
                putback.remove_files(plan.path)
            elif safety.kind is BackupKind.SAFETY and putback.can_overwrite(plan.path, staged[""]):
                watch = putback.Watch(plan.path)
                try:
                    putback.overwrite(staged[""], plan.path, watch)
                finally:
                    watch.close()
            else:
                putback.replace_files(staged, plan.path)
    except (apsw.Error, OSError, IcsGuardError, putback.CommittedMeanwhileError) as error:
        raise RevertError(
            "not-reverted",
            f"the restore failed, and putting the previous state back failed too: {error}",
            "\n".join(by_hand(project, safety, plan.path)),
        ) from error


def by_hand(project: Project, backup: Backup, path: Path) -> list[str]:
    """Given a backup, return the commands with which a person puts it in place without ics-guard."""
    companions = " ".join(f"'{rawfile.companion(path, s)}'" for s in (rawfile.WAL, rawfile.SHM, rawfile.JOURNAL))
    return [
        f"rm -f {companions}",
        *(
            f"zstd -d -f '{project.store.describe(file.key)}' -o "
            f"'{rawfile.companion(path, SUFFIX_OF_ROLE.get(file.role, ''))}'"
            for file in backup.files
        ),
    ]


def _write_down(project: Project, plan: Plan, outcome: Outcome) -> None:
    project.record(
        "restore",
        plan.source.name,
        {
            "outcome": outcome.outcome,
            "backup": plan.backup.id,
            "safety": outcome.safety.id if outcome.safety else "",
            "path": str(plan.path),
            "holders": [holder.command for holder in plan.holders],
            "checks": [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in outcome.checks],
            "seconds": outcome.seconds,
            "failure": outcome.failure,
        },
    )
    entries, _ = ledger.load(project.store)
    session_log.write(project, entries[-1:])


def _command(project: Project, command: str | None, what: str) -> None:
    if command:
        project.progress.note(f"{what}: {command}")
        check = run_command(command, project.repository.root)
        if not check.ok and what == "stop":
            raise RestoreError("stop-failed", f"`{command}` failed: {check.detail}; nothing was changed", "mend `stop`")
        if not check.ok:
            project.progress.note(f"`{command}` failed: {check.detail}")
