"""DDL in text that stands between no quotes: YAML blocks, shell, files of no known language."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from ics_guard.detect.embedded.shape import is_ddl
from ics_guard.detect.sql.split import Statement, split

_OBJECT = (
    r"(?:table|index|view|trigger|schema|type|sequence|function|procedure|database|policy|extension|column|unique)"
)
_VERB = r"(?:create|alter|drop|truncate|rename)"
_ANYWHERE = re.compile(rf"(?<![\w.'\"`/-]){_VERB}\s+(?:\w+\s+){{0,3}}?{_OBJECT}\s+\S", re.IGNORECASE)
_LEAD = (
    r"^[ \t]*(?:[-*+>|$][ \t]+)*(?:[\w.\"'-]+:[ \t]+)?",  # a line, a list, a quotation, a key
    r">\s*|<!\[CDATA\[\s*",  # markup
    r"[%}]\}\s*",  # a template
    r";[ \t]*",
)
_AT_LINE_START = re.compile(rf"(?:{'|'.join(_LEAD)})(?P<here>){_VERB}\s", re.IGNORECASE | re.MULTILINE)
_SHORT, _LONGEST = 300, 20_000
_PARAGRAPH = re.compile(r"\n[ \t]*\n|\n[ \t]*[\w\"'-]+:(?=\s)|</|\]\]>|\s\|\s|\Z")
_STATEMENT = re.compile(f";|{_PARAGRAPH.pattern}")


def raw_statements(text: str, covered: Iterable[tuple[int, int]], *, known: bool) -> list[tuple[Statement, int]]:
    """Given a text and where its strings and comments are, return what may be a statement elsewhere, with its offset.

    In a language that is known nothing but DDL has that shape outside of strings; in prose it also has to stand where
    a statement would.
    """
    spans = sorted(covered)
    starts = [start for start, _ in spans]
    result = []
    for match in (_ANYWHERE if known else _AT_LINE_START).finditer(text):
        start = match.start() if known else match.start("here")
        if _inside(spans, starts, start):
            continue
        beginning = _first(text, start, _STATEMENT, _SHORT)
        if beginning and (is_ddl(beginning) or not beginning.closed):
            whole = _first(text, start, _STATEMENT, _LONGEST)
            if whole and not whole.closed:  # a body may hold semicolons
                whole = _first(text, start, _PARAGRAPH, _LONGEST)
            result += [(whole, start)] if whole and is_ddl(whole) else []
    return result


def _first(text: str, start: int, ending: re.Pattern[str], longest: int) -> Statement | None:
    end = ending.search(text, start, start + longest)
    return next(iter(split(text[start : end.start() if end else start + longest], prose=True)), None)


def _inside(spans: Sequence[tuple[int, int]], starts: Sequence[int], offset: int) -> bool:
    index = bisect_right(starts, offset) - 1
    return index >= 0 and offset < spans[index][1]
