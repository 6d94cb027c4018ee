"""Summaries, read back by a Markdown parser: what comes from a repository is text in `<code>` and nothing else."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ics_guard.model import Change, Decision, Severity
from ics_guard.report.levels import headline, shortened
from ics_guard.report.markdown import check_summary, gate_summary
from tests.report_support import allowed, blocked, change, changes, decisions, slowly, texts

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
BLOCKS = {"heading", "paragraph", "bullet_list", "list_item", "table", "thead", "tbody", "tr", "th", "td", "inline"}


def cells(markdown: str) -> list[list[str]]:
    """The rows of the table, each cell as the text that a reader sees; all of Markdown that is there is checked."""
    rows: list[list[str]] = []
    for token in PARSER.parse(markdown):
        assert re.sub(r"_(open|close)$", "", token.type) in BLOCKS, token
        if token.type == "tr_open":
            rows.append([])
        if token.type == "inline":
            shown = seen(token.children or [])
            if token.level == 4 and rows and "th" not in token.type:
                rows[-1].append(shown)
    return rows


def seen(tokens: list[Token]) -> str:
    shown = ""
    depth = 0
    for token in tokens:
        if token.type == "html_inline":
            assert token.content in ("<code>", "</code>", "<br>"), token
            depth += {"<code>": 1, "</code>": -1, "<br>": 0}[token.content]
            assert depth in (0, 1)
        elif token.type in ("text", "softbreak"):
            assert depth or not set("@#<`") & set(token.content), token
            shown += token.content or " "
        else:
            assert token.type in ("strong_open", "strong_close", "em_open", "em_close"), token
            assert not depth, token
    assert depth == 0
    return shown


def test_the_verdict_comes_first_then_the_reasons_with_the_command_then_the_changes() -> None:
    said = gate_summary(blocked(change(Severity.RISKY, line=9), change()), "change", "aaa..bbb (as asked for)")
    assert said.splitlines()[0] == "### ⛔ ics-guard: this change is held: 2 schema changes"
    where = [said.index(words) for words in ("aaa..bbb", "db has no backup yet", "ics-guard backup db", "| severity")]
    assert where == sorted(where)
    assert cells(said) == [
        ["severity", "change", "where", "rule", "sources"],
        ["destructive", "drop table episodes", "migrations/0002.sql:3", "sql.drop_table", "db"],
        ["risky", "drop table episodes", "migrations/0002.sql:9", "sql.drop_table", "db"],
    ]


def test_of_an_open_gate_what_it_rests_on_is_named_with_its_times_and_a_waiver_is_said() -> None:
    said = gate_summary(allowed(change()), "deploy")
    assert said.startswith("### ✅ ics-guard: this deploy may pass: 1 schema change\n")
    assert "app_20261123_093000" in said
    assert "taken 2026-11-23 09:30:00 UTC, verified 2026-11-23 10:30:00 UTC" in said
    assert "pass on a waiver" in said


def test_of_a_check_there_is_no_verdict() -> None:
    assert check_summary([]) == "### ics-guard: no schema change\n"
    assert check_summary([change()]).startswith("### ics-guard: 1 schema change\n")


def test_ordinary_names_stay_readable_in_the_text_itself() -> None:
    assert "<code>db/migrations/0002_add-it.sql&#58;3</code>" in check_summary(
        [change(path="db/migrations/0002_add-it.sql")]
    )


def test_what_does_not_fit_is_left_out_whole_and_that_is_said() -> None:
    many = [change(line=n, object=f"table{n}") for n in range(1, 20_000)]
    said = gate_summary(blocked(*many), "change")
    assert 1_000_000 < len(said.encode()) <= 1024 * 1024
    assert said.endswith("*The rest is left out: a summary is limited to 1048576 bytes.*\n")
    assert all(len(row) == 5 for row in cells(said))
    assert "db has no backup yet" in said


@slowly
@given(st.integers(-5, 3000))
def test_a_limit_is_a_limit(limit: int) -> None:
    said = gate_summary(blocked(*(change(line=n) for n in range(1, 20))), "change", limit=limit)
    assert len(said.encode()) <= max(limit, 0)
    assert not said or said.endswith(("|\n", "bytes.*\n"))
    cells(said)


@slowly
@given(st.lists(changes, max_size=4))
def test_whatever_a_repository_holds_stays_in_its_cell_as_text(listed: list[Change]) -> None:
    _, *rows = cells(check_summary(listed)) or [[]]
    wanted = {(headline(one).strip(), f"{shortened(one.path)}:{one.line}".strip()) for one in listed}
    assert len(rows) == len(listed)
    for row in rows:
        assert len(row) == 5
        assert (row[1].strip(), row[2].strip()) in wanted


@slowly
@given(decisions, texts)
def test_whatever_a_reason_says_it_is_text(decision: Decision, judged: str) -> None:
    said = gate_summary(decision, "change", judged)
    cells(said)
    assert len(re.findall(r"^- \*\*", said, re.MULTILINE)) == len(decision.reasons)
