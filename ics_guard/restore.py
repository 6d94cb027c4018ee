"""Restore: plan, safety copy, put back, checks, smoke, and back again by itself when any of that fails.

One plan feeds the preview and the execution. Until the safety copy stands and the write lock is held nothing is
touched; what is touched is whole before and whole after, so the live database is always one of the two.
"""

from __future__ import annotations

import shlex
import signal
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import apsw

from ics_guard import ledger, session_log
from ics_guard.backup import take_backup
from ics_guard.errors import BackupError, IcsGuardError, RestoreError, RevertError, SourceError, StoreError, UsageError
from ics_guard.model import Backup, BackupKind, BackupRecord, Check
from ics_guard.plan import Plan, stage
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
    backup = record.backup
    for suffix in ("", rawfile.WAL, rawfile.SHM, rawfile.JOURNAL):  # SQLite would play a stale companion into it
        beside = target.with_name(target.name + suffix)
        if beside.exists() or beside.is_symlink():
            raise UsageError("target-exists", f"{beside} exists already", "name a path that does not exist yet")
    if not any(file.role in ("image", "main") for file in backup.files):
        raise UsageError("absent", f"{backup.id} says that there was no database; there is nothing to restore", "")
    target.parent.mkdir(parents=True, exist_ok=True)
    with project.scratch() as scratch:
        staged, checks = stage(project, backup, scratch)
        putback.replace_files(staged, target)
    return checks


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
            _interrupts(taken=True)
    outcome = replace(outcome, seconds=round(time.monotonic() - began, 3))
    try:
        _write_down(project, plan, outcome)
    except (IcsGuardError, OSError) as error:  # what was done is done: a full store must not make it look undone
        project.progress.note(f"the data is {outcome.outcome}, but this could not be written down: {error}")
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
            safety, after = _overwrite(project, plan, staged[""])
        else:
            safety, after = _replace(project, plan, staged), None
    except (apsw.Error, OSError, BackupError) as error:
        if isinstance(error, SourceError) and error.code == "source-locked":
            raise RestoreError(error.code, f"{error.message}; nothing was touched", error.fix) from error
        fix = error.fix if isinstance(error, IcsGuardError) else "see the cause, mend it, and run the restore again"
        said = _in_words(error)
        raise RestoreError("not-restored", f"nothing was changed: {said}", fix) from error
    outcome = Outcome("restored", plan.backup, safety, drilled, 0.0)
    if not usable:
        return outcome
    try:
        if after is None:
            after = putback.Aftermath(plan.path)
            after.begin()
        checks, failure = _check_live(project, plan, after)
    except (Exception, KeyboardInterrupt) as error:  # whatever it is, unchecked data does not stay live
        checks, failure = (), f"the checks were not finished: {_in_words(error)}"
    if failure:
        kept = _revert(project, plan, safety, after)
        failure += f". What was written after the restore is kept as {kept.id}" if kept else ""
        return replace(outcome, outcome="reverted", checks=checks, failure=failure)
    if after:
        after.close()
    return replace(outcome, checks=checks)


def _interrupts(*, taken: bool) -> None:
    """Say whether ^C interrupts. From the first irreversible step to the end of the checks it only ends smoke checks,
    which takes the restore back: data that nobody checked does not stay live, and what happened is written down."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler if taken else lambda *_: None)


def _in_words(error: BaseException) -> str:
    """APSW says "not an error" where its backup met one; the type's name says which."""
    said = str(error)
    return said if said and said != "not an error" else type(error).__name__


def _overwrite(project: Project, plan: Plan, image: Path) -> tuple[Backup, putback.Aftermath]:
    """Through SQLite, into the live file; another safety copy for as long as somebody commits in between."""
    for attempt in range(_MOST_SAFETY_COPIES):
        watch = putback.Watch(plan.path)
        try:
            putback.require_room(image, plan.path, watch)
            safety = _safety_copy(project, plan, watch, still=attempt > 0)
            project.progress.start(f"restoring {plan.source.name}", 0, image.stat().st_size / 200e6)
            _interrupts(taken=False)
            after = putback.overwrite(image, plan.path, watch)
        except putback.CommittedMeanwhileError:
            _interrupts(taken=True)
            project.progress.note("somebody wrote to it after the safety copy: taking another one")
            continue
        finally:
            watch.close()
        return safety, after
    raise RestoreError(
        "writers",
        f"{plan.source.name} is written to all the time by {in_words(find_holders(plan.path))}; nothing was changed",
        "stop the writer (or set `stop` and `start` for this source), then run the same restore again",
    )


def _safety_copy(project: Project, plan: Plan, watch: putback.Watch, *, still: bool = False) -> Backup:
    """A verified backup of the live state, or a salvage where it cannot be drilled. The database is being watched.

    `still` makes writers wait for it: beside a busy one there is no end of safety copies otherwise.
    """
    if still:
        with watch.holding_still():
            return _safety_copy(project, plan, watch)
    try:
        return take_backup(project, plan.source, BackupKind.SAFETY, "", watched=True).backup
    except BackupError as error:
        if error.code not in {"source-damaged", "drill-failed", "hot-journal", "not-a-database"}:
            raise
        project.progress.note(f"the live state cannot be drilled ({error.message}): keeping a salvage of its bytes")
        with watch.holding_still():  # a checkpoint between main file and -wal would lose what it moved
            return salvage(project, plan.source, plan.path)


def _replace(project: Project, plan: Plan, staged: dict[str, Path]) -> Backup:
    """File by file, where SQLite cannot do it: nobody may hold the database, nor have written after the safety copy."""
    for _ in range(_MOST_SAFETY_COPIES):
        seen = rawfile.times(plan.path)
        kept = _copy_of_unwatched(project, plan)
        project.progress.start(f"restoring {plan.source.name}")
        try:
            _interrupts(taken=False)
            _put_files(staged, plan.path, seen)
        except putback.CommittedMeanwhileError:
            _interrupts(taken=True)
            project.progress.note("somebody wrote to it after the safety copy: taking another one")
            continue
        return kept
    raise RestoreError(
        "writers",
        f"{plan.source.name} is written to all the time, and it must be replaced as a file; nothing was changed",
        "stop the writer (or set `stop` and `start` for this source), then run the same restore again",
    )


def _put_files(staged: dict[str, Path], path: Path, seen: rawfile.Times) -> None:
    if staged:
        putback.replace_files(staged, path, lambda: rawfile.times(path) != seen)
    else:
        putback.remove_files(path)


def _copy_of_unwatched(project: Project, plan: Plan) -> Backup:
    try:
        return take_backup(project, plan.source, BackupKind.SAFETY, "").backup
    except BackupError as error:
        if isinstance(error, StoreError) or error.code in {"source-locked", "scratch-full", "name-taken"}:
            raise
        return salvage(project, plan.source, plan.path)


def _check_live(project: Project, plan: Plan, after: putback.Aftermath) -> tuple[tuple[Check, ...], str]:
    """Return the checks of what is live now, and the first failure in words."""
    with project.scratch() as scratch:
        image = scratch / "live.db"
        project.progress.start(f"checking {plan.source.name}", 0, plan.backup.image.bytes / 400e6)
        take_image(plan.path, image, watched=True)
        assert plan.backup.facts is not None  # noqa: S101 - only a salvage has none
        checks = check_image(image, plan.backup.facts, plan.source.unchecked)
    if after.written_since():  # that is no failure of the restore
        checks = tuple(
            replace(c, ok=True, detail=f"{c.detail} (somebody has written since)")
            if c.name in {"size", "contents"} and not c.ok
            else c
            for c in checks
        )
    if not after.journal_mode_kept:
        checks += (Check("journal mode", ok=False, detail="it is not what it was before the restore"),)
    checks += run_smoke(plan.source, plan.path, project.repository.root)
    failed = [f"{check.name}: {check.detail}" for check in checks if not check.ok]
    return checks, failed[0] if failed else ""


def _revert(project: Project, plan: Plan, safety: Backup, after: putback.Aftermath | None) -> Backup | None:
    """Put the safety copy back; return the copy of what others wrote after the restore, None if nobody did.

    Raise `RevertError` with what to type when that fails too.
    """
    project.progress.note(f"the restored data did not pass: putting {safety.id} back")
    try:
        with project.scratch() as scratch:
            staged, _ = stage(project, safety, scratch)
            if (
                safety.kind is BackupKind.SAFETY
                and after
                and putback.can_overwrite(plan.path, staged[""], watched=True)
            ):
                return _overwrite_again(project, plan, staged[""], after)
            written = after is not None and after.written_since()
            if after:
                after.close()
            seen = rawfile.times(plan.path)
            kept = _copy_of_unwatched(project, plan) if written else None
            _put_files(staged, plan.path, seen)
            return kept
    except (apsw.Error, OSError, IcsGuardError, putback.CommittedMeanwhileError) as error:
        raise RevertError(
            "not-reverted",
            f"the restore failed, and putting the previous state back failed too: {_in_words(error)}",
            "\n".join(by_hand(project, safety, plan.path)),
        ) from error
    finally:
        if after:
            after.close()


def _overwrite_again(project: Project, plan: Plan, image: Path, after: putback.Aftermath) -> Backup | None:
    kept = None
    for attempt in range(_MOST_SAFETY_COPIES):
        watch = putback.Watch(plan.path, watched=True)
        try:
            if after.written_since():
                kept = _safety_copy(project, plan, watch, still=attempt > 0)
            putback.overwrite(image, plan.path, watch).close()
        except putback.CommittedMeanwhileError:
            continue
        finally:
            watch.close()
        return kept
    raise RestoreError("writers", f"{plan.source.name} is written to all the time", "")


def by_hand(project: Project, backup: Backup, path: Path) -> list[str]:
    """Given a backup, return the commands with which a person puts it in place without ics-guard."""
    suffixes = (*(() if backup.files else ("",)), rawfile.WAL, rawfile.SHM, rawfile.JOURNAL)
    return [
        "# first stop every process that uses the database; then",
        shlex.join(["rm", "-f", *(str(rawfile.companion(path, suffix)) for suffix in suffixes)]),
        *(
            shlex.join(["zstd", "-d", "-f", project.store.describe(file.key), "-o", _place(path, file.role)])
            for file in backup.files
        ),
    ]


def _place(path: Path, role: str) -> str:
    return str(rawfile.companion(path, SUFFIX_OF_ROLE.get(role, "")))


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
