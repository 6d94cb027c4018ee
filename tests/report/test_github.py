"""Annotations, read back as GitHub's runner reads them: it takes a line that begins with `::` for a command."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ics_guard.model import Change, Decision, Severity
from ics_guard.report.github import MOST_OF_A_LEVEL, check_annotations, gate_annotations
from ics_guard.report.texts import printable
from tests.report_support import allowed, blocked, change, changes, decisions, slowly


def read(lines: str) -> tuple[str, list[tuple[str, dict[str, str], str]]]:
    """The first line, which is plain text, and of each command its name, its properties and its message."""
    said, *rest = lines.rstrip("\n").split("\n")
    return said, [command(line) for line in rest]


def command(line: str) -> tuple[str, dict[str, str], str]:
    assert line.startswith("::")
    about, _, message = line[2:].partition("::")
    name, _, told = about.partition(" ")
    pairs = (pair.split("=", 1) for pair in told.split(","))
    return name, {key: unescaped(value, ":,") for key, value in pairs}, unescaped(message, "")


def unescaped(text: str, more: str) -> str:
    for char in "\r\n" + more:
        text = text.replace(f"%{ord(char):02X}", char)
    return text.replace("%25", "%")


def levels(lines: str) -> list[str]:
    return [name for name, _, _ in read(lines)[1]]


def test_a_change_is_annotated_on_its_line_with_what_why_and_who() -> None:
    said, [(name, told, message)] = read(check_annotations([change()]))
    assert said == "ics-guard: 1 schema change"
    assert name == "error"
    assert told == {
        "file": "migrations/0002.sql",
        "line": "3",
        "col": "5",
        "title": "ics-guard: destructive",
    }
    assert message == "drop table episodes: Every row of the table is lost. (sql.drop_table) Sources: db."


def test_by_itself_a_change_is_as_loud_as_its_severity() -> None:
    found = levels(check_annotations([change(severity) for severity in Severity]))
    assert found == ["error", "warning", "warning", "notice", "notice"]


def test_of_a_blocked_gate_all_that_counts_is_an_error_and_the_reason_stands_first_without_a_file() -> None:
    said, commands = read(gate_annotations(blocked(*(change(severity) for severity in Severity)), "change"))
    assert said == "ics-guard: this change is held: 4 schema changes"
    assert [name for name, _, _ in commands] == ["error"] * 5 + ["notice"]
    assert commands[0] == ("error", {"title": "ics-guard: no-backup"}, "db has no backup yet\nDo: ics-guard backup db")


def test_of_an_open_gate_nothing_is_an_error_and_a_waiver_is_said() -> None:
    lines = gate_annotations(allowed(*(change(severity) for severity in Severity)), "change")
    assert levels(lines) == ["warning"] * 3 + ["notice"] * 3
    assert "pass on a waiver" in lines


def test_what_github_would_drop_is_counted_worst_first() -> None:
    many = [change(Severity.RISKY, line=n) for n in range(1, 31)] + [change(Severity.DESTRUCTIVE, line=99)]
    _, commands = read(gate_annotations(blocked(*many), "change"))
    assert len(commands) == MOST_OF_A_LEVEL
    assert commands[1][1]["line"] == "99"
    assert commands[-1][2].startswith("and 23 more")


def test_ten_of_a_level_are_all_shown() -> None:
    _, commands = read(check_annotations([change(Severity.RISKY, line=n) for n in range(1, 11)]))
    assert [told["line"] for _, told, _ in commands] == [str(n) for n in range(1, 11)]


def test_what_is_held_without_any_change_is_not_counted() -> None:
    assert read(gate_annotations(blocked(), "push"))[0] == "ics-guard: this push is held"


def test_nothing_is_one_line() -> None:
    assert check_annotations([]) == "ics-guard: no schema change\n"
    assert gate_annotations(Decision(True, (), ()), "deploy") == "ics-guard: this deploy may pass: no schema change\n"


@slowly
@given(st.lists(changes, max_size=12))
def test_whatever_a_repository_holds_each_change_is_one_command_that_says_it(listed: list[Change]) -> None:
    text = check_annotations(listed)
    _, commands = read(text)
    assert text.isascii() or text.encode()
    assert not set(map(chr, range(32))) - {"\n"} & set(text)
    wanted = {(printable(one.path), str(one.line), str(one.column)) for one in listed}
    for name, told, _ in commands:
        assert name in ("error", "warning", "notice")
        assert set(told) in ({"file", "line", "col", "title"}, {"title"})
        if "file" in told:
            assert (told["file"], told["line"], told["col"]) in wanted
    if len(listed) <= MOST_OF_A_LEVEL:
        assert len(commands) == len(listed)


@slowly
@given(decisions)
def test_whatever_a_reason_says_it_is_one_command(decision: Decision) -> None:
    _, commands = read(gate_annotations(decision, "change"))
    assert len(commands) == len(decision.reasons) + len(decision.changes)
    assert ("error" in [name for name, _, _ in commands]) == (not decision.allowed)
