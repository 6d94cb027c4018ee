"""`run`: a command under guard. Way back first, then the command, then the checks; on failure the data goes back."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import psutil

from ics_guard import known
from ics_guard.backup import back_up
from ics_guard.config import Source
from ics_guard.errors import CommandError, IcsGuardError, RestoreError, RevertError, UsageError
from ics_guard.model import BackupRecord
from ics_guard.plan import make_plan
from ics_guard.project import Project
from ics_guard.restore import execute
from ics_guard.smoke import run_smoke
from ics_guard.sources.sqlite import rawfile
from ics_guard.sources.sqlite.checks import integrity_errors
from ics_guard.sources.sqlite.holders import find_holders
from ics_guard.sources.sqlite.image import take_image

_LOOK_EVERY_SECONDS = 0.2


@dataclass
class _Watch:
    """Others who had a database open at some moment while the command ran, by source."""

    others: dict[str, str] = field(default_factory=dict)


def run_guarded(project: Project, command: list[str]) -> tuple[BackupRecord, ...]:
    """Given a command, run it with a way back, check the data afterwards, and return the backups from before.

    Raise `CommandError` when the command or a check failed and the data is as it was, `RevertError` when it could not
    be put back, or must not be because somebody else had the database open; its `fix` is then the command to type.
    """
    if not command:
        raise UsageError("no-command", "there is nothing to run", "ics-guard run -- alembic upgrade head")
    sources = tuple(s for s in project.select() if s.kind == "sqlite")
    present = tuple(source for source in sources if project.source_path(source).exists())
    for source in sources:
        if source not in present:
            project.progress.note(_absent(project, source))
    before = tuple(result.record for result in back_up(project, present))
    paths = {source.name: project.source_path(source) for source in present}
    watch = _Watch({name: held for name, path in paths.items() if (held := _held(path, set()))})
    code = _run(command, project.repository.root, paths, watch)
    failure = f"`{command[0]}` ended with {code}" if code else _first_failed_check(project, present)
    data = {
        "command": Path(command[0]).name,
        "exit": code,
        "backups": [r.backup.id for r in before],
        "failure": failure,
    }
    if not failure:
        project.record("run", ",".join(paths), {**data, "outcome": "done"})
        return before
    outcome = "kept"
    said = "the data is as it was before"
    try:
        for kept in _put_back(project, before, paths, watch, failure):
            said += f" (what the command left is kept: ics-guard restore {kept})"
        for source in sources:
            if source not in present and (made := project.source_path(source)).exists():
                said += f" (but {made}, which the command made, is still there)"
        outcome = "put back"
    finally:
        project.record("run", ",".join(paths), {**data, "outcome": outcome})
    raise CommandError("command-failed", f"{failure}; {said}", "mend the command and run it again")


def _run(command: list[str], root: Path, paths: dict[str, Path], watch: _Watch) -> int:
    done = threading.Event()
    try:
        process = subprocess.Popen(command, cwd=Path.cwd() if Path.cwd().is_relative_to(root) else root)
    except OSError as error:
        raise UsageError("cannot-run", f"{command[0]} cannot be run: {error.strerror}", "check the command") from error

    def look() -> None:
        while not done.wait(_LOOK_EVERY_SECONDS):
            family = _family(process.pid)
            for name, path in paths.items():
                if name not in watch.others and (held := _held(path, family)):
                    watch.others[name] = held

    looker = threading.Thread(target=look, daemon=True)
    looker.start()
    with _interrupts_go_to_the_command():
        code = process.wait()
    done.set()
    looker.join()
    for name, path in paths.items():
        if name not in watch.others and (held := _held(path, set())):
            watch.others[name] = held
    return code if code >= 0 else 128 - code


@contextmanager
def _interrupts_go_to_the_command() -> Iterator[None]:
    """^C reaches the command as well; we have to outlive it to put the data back."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _family(pid: int) -> set[int]:
    try:
        return {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))}
    except psutil.Error:
        return {pid}


def _held(path: Path, family: set[int]) -> str:
    return ", ".join(f"{h.command} (pid {h.pid})" for h in find_holders(path, family))


def _first_failed_check(project: Project, sources: tuple[Source, ...]) -> str:
    """Return what is wrong with the data after the command, "" if nothing is."""
    for source in sources:
        path = project.source_path(source)
        try:
            with project.scratch() as scratch:
                image = scratch / "after.db"
                project.progress.start(f"checking {source.name}", 0, path.stat().st_size / 400e6)
                take_image(path, image)
                if errors := integrity_errors(image, source.unchecked):
                    return f"integrity of {source.name}: {errors[0]}"
        except (apsw.Error, IcsGuardError, OSError) as error:
            return f"{source.name} cannot be read: {error}"
        for check in run_smoke(source, path, project.repository.root):
            if not check.ok:
                return f"smoke check {check.name}: {check.detail}"
    return ""


def _put_back(
    project: Project, before: tuple[BackupRecord, ...], paths: dict[str, Path], watch: _Watch, failure: str
) -> list[str]:
    """Put every database back that is not what it was, and return the ids of the safety copies."""
    kept = []
    for record in before:
        name = record.backup.source
        if record.backup.fingerprint and rawfile.fingerprint(paths[name]) == record.backup.fingerprint:
            continue
        command = f"ics-guard restore {record.backup.id}"
        if name in watch.others:
            raise RevertError(
                "others-wrote",
                f"{failure}. {name} was also open in {watch.others[name]}, whose rows a restore would undo: "
                "the data is kept as it is now",
                command,
            )
        source = project.environment.sources[name]
        try:
            done = execute(project, make_plan(project, source, record, "from before the command", preview=False))
            kept += [done.safety.id] if done.safety else []
        except RestoreError as error:
            raise RevertError(error.code, f"{failure}, and {error.message}", command) from error
    return kept


def _absent(project: Project, source: Source) -> str:
    """Data that was here and is gone cannot get any worse by the command, but nobody may overlook it."""
    path = project.source_path(source)
    memory = known.load(project.repository.common_dir).source(project.environment.name, source.name)
    if memory and memory.seen_at:
        return (
            f"{source.name} was at {path} and is GONE; to have it back: ics-guard restore latest --source {source.name}"
        )
    return f"{source.name}: no database at {path} yet, so nothing to keep"
