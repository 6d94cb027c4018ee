"""`check` and `gate` in the form that was asked for, on stdout; on GitHub the job summary as well."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Protocol

import typer

from ics_guard.cli.asking import Judged
from ics_guard.cli.voice import err, show
from ics_guard.detect.rules import RULES
from ics_guard.model import Change, Decision
from ics_guard.report import documents, github, markdown, sarif, texts


class Format(StrEnum):
    """How to print a verdict."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    MARKDOWN = "markdown"
    SARIF = "sarif"


FormatOption = Annotated[
    Format, typer.Option("--format", help="How to print; github: annotations, and the job summary where there is one.")
]


def show_check(form: Format, changes: Sequence[Change], judged: Judged) -> None:
    """Print the changes of a diff in the form asked for."""
    match form:
        case Format.TEXT:
            show(texts.check_text(changes), {}, as_json=False)
        case Format.JSON:
            show("", {**documents.check_document(changes), **judged.fields}, as_json=True)
        case Format.GITHUB:
            _write(github.check_annotations(changes))
            _append_summary(partial(markdown.check_summary, changes, judged.words))
        case Format.MARKDOWN:
            _write(markdown.check_summary(changes, judged.words))
        case Format.SARIF:
            _write(json.dumps(sarif.check_log(changes, RULES, judged.document), indent=1) + "\n")


def show_gate(form: Format, decision: Decision, what: str, judged: Judged) -> None:
    """Print a decision on `what` ("change", "deploy") in the form asked for."""
    match form:
        case Format.TEXT:
            show(texts.decision_text(decision, what), {}, as_json=False)
        case Format.JSON:
            show("", {**documents.gate_document(decision), **judged.fields}, as_json=True)
        case Format.GITHUB:
            _write(github.gate_annotations(decision, what))
            _append_summary(partial(markdown.gate_summary, decision, what, judged.words))
        case Format.MARKDOWN:
            _write(markdown.gate_summary(decision, what, judged.words))
        case Format.SARIF:
            _write(json.dumps(sarif.gate_log(decision, RULES, judged.document), indent=1) + "\n")


def _write(text: str) -> None:
    """What other programs read is UTF-8, whatever the locale of the job."""
    sys.stdout.buffer.write(text.encode())


class _Summary(Protocol):
    def __call__(self, *, limit: int) -> str: ...


def _append_summary(summary: _Summary) -> None:
    """Append to what a step says of itself: no part of the verdict, so that a failure is told and changes nothing."""
    path = Path(os.environ.get("GITHUB_STEP_SUMMARY", ""))
    if path == Path():
        return
    try:
        there = path.stat().st_size if path.exists() else 0
        text = summary(limit=markdown.MOST_BYTES - there - 1)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n{text}" if there else text)
        problem = "" if text else "it is full"
    except OSError as error:
        problem = str(error)
    if problem:
        err.print(f"ics-guard: the job summary ({path}) was not written: {problem}", markup=False)
