"""The identity of a revision, read off the plain lines at the head of its file without parsing the rest.

Only what can mean one thing is read here: docstring, comments, imports, and names given a literal on one line. Anything
else, and any later line that could give one of the names another value, is left to the parser.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

NAMES = ("revision", "down_revision", "depends_on", "branch_labels")
"""What a revision file says of itself."""

_STRING = r"""(?:"[^"\\\n]+"|'[^'\\\n]+')"""
_SEQUENCE = rf"\([ \t]*{_STRING}[ \t]*,(?:[ \t]*{_STRING}[ \t]*,)*(?:[ \t]*{_STRING})?[ \t]*\)"
_LIST = rf"\[[ \t]*{_STRING}(?:[ \t]*,[ \t]*{_STRING})*[ \t]*,?[ \t]*\]"
_REST_OF_LINE = r"[ \t]*(?:\#[^\n]*)?(?:\n|\Z)"
_HEAD = re.compile(
    rf"""(?:
      {_REST_OF_LINE}
    | \"\"\"[^"\\]*(?:"{{1,2}}(?!")[^"\\]*)*\"\"\"{_REST_OF_LINE}
    | '''[^'\\]*(?:'{{1,2}}(?!')[^'\\]*)*'''{_REST_OF_LINE}
    | import[ ][\w., \t]+{_REST_OF_LINE}
    | from[ ][\w.]+[ ]import[ ](?:[\w., \t]+|\([\w., \t\n]+\)){_REST_OF_LINE}
    | (?P<name>\w+)[ \t]*(?::[^=\#\n;]*)?=[ \t]*(?P<value>None|{_STRING}|{_SEQUENCE}|{_LIST}){_REST_OF_LINE}
    )""",
    re.VERBOSE,
)
_ASSIGNED_LATER = re.compile(r"(?:revision|depends_on|branch_labels)\s*(?:[:,)\]][^=\n]*)?=(?!=)")
_GIVEN_OTHERWISE = re.compile(
    r"\b(?:del|def|class|import|as|for|case)\b(?:[^=\n(]|\([^)]*)*?\b(?:(?:down_)?revision|depends_on|branch_labels)\b"
)
_FOOLS = re.compile(r"[\r\f\0\ufeff]|\\\n|coding[:=]")


def plain_identity(content: bytes) -> Mapping[str, tuple[str, ...]] | None:
    """Given the bytes of a file, return what each of `NAMES` holds, or None where only a parser can tell."""
    try:
        text = content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None
    if _FOOLS.search(text):
        return None
    found, position = dict[str, tuple[str, ...]](), 0
    while match := _HEAD.match(text, position):
        if match.end() == position:
            break
        position = match.end()
        if match["name"] in NAMES:
            found[match["name"]] = strings(ast.literal_eval(match["value"])) or ()
    otherwise = _ASSIGNED_LATER.search(text, position) or _GIVEN_OTHERWISE.search(text)
    plainly = "revision" in found and not otherwise
    return found if plainly else None


def strings(value: object) -> tuple[str, ...] | None:
    """Given the value of one of `NAMES`, return the identifiers it holds, sorted; None if it holds anything else."""
    values = tuple(value) if isinstance(value, tuple | list | set | frozenset) else () if value is None else (value,)
    texts = [item for item in values if isinstance(item, str) and item]
    return tuple(sorted(texts)) if len(texts) == len(values) else None
