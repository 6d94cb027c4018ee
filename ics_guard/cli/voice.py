"""How the command line speaks: documents on stdout, progress and hooks on stderr, plain where nobody watches."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

_QUIET_SECONDS = 1.0
"""What is done sooner needs no words; whatever lasts longer is never silent."""


def show(text: Any, data: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one stable JSON document, or the text, on stdout."""
    if as_json:
        sys.stdout.write(json.dumps({"schema_version": 1, **data}, indent=1) + "\n")
    else:
        out.print(text)


class Voice:
    """A `model.Progress` on stderr: a moving bar on a terminal, a line for each long phase elsewhere."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._done = 0

    def start(self, what: str, total: int = 0, seconds: float = 0.0) -> None:
        """A new phase: said only if it lasts."""
        self.finish()
        self._done = 0
        self._timer = threading.Timer(_QUIET_SECONDS, self._speak, (what, total, seconds))
        self._timer.daemon = True
        self._timer.start()

    def advance(self, amount: int) -> None:
        """That many more bytes are done."""
        with self._lock:
            self._done += amount
            if self._bar and self._task is not None:
                self._bar.update(self._task, completed=self._done)

    def note(self, message: str) -> None:
        """Say it at once."""
        self.finish()
        err.print(f"ics-guard: {message}", markup=False)

    def finish(self) -> None:
        """The phase is over."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        with self._lock:
            if self._bar:
                self._bar.stop()
            self._bar = None
            self._task = None

    def _speak(self, what: str, total: int, seconds: float) -> None:
        with self._lock:
            if not err.is_terminal:
                about = f" (about {seconds:.0f} s)" if seconds >= _QUIET_SECONDS else ""
                err.print(f"ics-guard: {what}{about} …", markup=False)
                return
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TimeElapsedColumn(),
            )
            self._bar = Progress(*columns, TimeRemainingColumn(), console=err, transient=True)
            about = f", about {seconds:.0f} s" if seconds >= _QUIET_SECONDS else ""
            self._task = self._bar.add_task(f"{what}{about}", total=total or None, completed=self._done)
            self._bar.start()


@contextmanager
def speaking() -> Iterator[Voice]:
    """Yield a voice that falls silent at the end, whatever happens."""
    voice = Voice()
    try:
        yield voice
    finally:
        voice.finish()
