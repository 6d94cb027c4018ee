"""String literals in source text of any language, with what stands between them (code, comments) left out."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple


class Piece(NamedTuple):
    """One string as it is written: where its value begins in that of the whole, and what is between its quotes.

    `rewritten` finds what stands there for something else.
    """

    at: int
    begin: int
    end: int
    rewritten: re.Pattern[str] | None


class Literal(NamedTuple):
    """The value of a string, or of strings put together, and the offsets of its first quote and behind its last."""

    text: str
    start: int
    end: int
    pieces: tuple[Piece, ...]


class Source(NamedTuple):
    """The strings of a source text, and where its comments and documentation begin and end."""

    literals: tuple[Literal, ...]
    comments: tuple[tuple[int, int], ...]


_SLASHED = r"//[^\n]*"
_BLOCK = r"/\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/|\Z)"
_HASHED = r"\#[^\n]*"
_QUOTE_CHARACTER = r"\?[\"']|\\[\"'`]"
_DOC_ATTRIBUTE = r"\#!?\[doc\b[^\]\n]{0,500}\]"
_DASHED = r"--[^\n]*"
_TRIPLE = r'[rRbBuUfF]{0,2}"""[^"\\]*+(?:(?:\\(?:.|\Z)|"(?!""))[^"\\]*+)*+(?:"""|\Z)'
_TRIPLE_SINGLE = r"[rRbBuUfF]{0,2}QQQ[^'\\]*+(?:(?:\\(?:.|\Z)|'(?!''))[^'\\]*+)*+(?:QQQ|\Z)".replace("QQQ", "'" * 3)
_RUST_RAW = r'b?r(?P<hashes>\#*+)".*?(?:"(?P=hashes)|\Z)'
_CPP_RAW = r'R"(?P<mark>[^()\s"]{0,16})\(.*?(?:\)(?P=mark)"|\Z)'
_VERBATIM = r'\$?@\$?"[^"]*+(?:""[^"]*+)*+(?:"|\Z)'
_DOUBLE_LINES = r'[a-zA-Z]?"[^"\\]*+(?:\\(?:.|\Z)[^"\\]*+)*+(?:"|\Z)'
_DOUBLE = r'[a-zA-Z]{0,2}"(?:\\.|[^"\\\n])*+"'
_SINGLE_LINES = r"'[^'\\]*+(?:\\(?:.|\Z)[^'\\]*+)*+(?:'|\Z)"
_SINGLE = r"[a-zA-Z]{0,2}'(?:\\.|[^'\\\n])*+'"
_CHARACTER = r"b?'(?:\\[^\n]{1,8}?|[^'\\\n])'"
_BACKTICK = r"`[^`\\]*+(?:\\(?:.|\Z)[^`\\]*+)*+(?:`|\Z)"
_BRACED = "|".join(
    (
        r"\{(?:[^{}]|\{[^{}]*\}){0,4000}+\}",
        r"\((?:[^()]|\([^()]*\)){0,4000}+\)",
        r"\[[^\[\]]{0,4000}\]",
        r"<[^<>\n]*>",
        r"\|[^|\n]*\|",
        r"/[^/\n]*/",
        r"![^!\n]*!",
    )
)
_SIGIL = rf"(?:%[qQ]?|~[sS]|qq?)(?:{_BRACED})"
_GO_RAW = r"`[^`]*+(?:`|\Z)"
_HEREDOC = r"<<(?:<[ \t]*|[~-]|(?=[ \t]*[A-Z\"'])[ \t]*)(?P<q>[\"'`]?)(?P<tag>[A-Za-z_]\w*)(?P=q)[^\n]*\n"
_LINE_START = re.compile(r"^[ \t]*(\w+)", re.MULTILINE)
_LONG_STRING = r"\[\[[^\]]*+(?:\](?!\])[^\]]*+)*+(?:\]\]|\Z)"

_LANGUAGES = {
    ("rs",): ((_SLASHED, _BLOCK, _DOC_ATTRIBUTE), (_RUST_RAW, _CHARACTER, _DOUBLE_LINES)),
    ("go",): ((_SLASHED, _BLOCK), (_GO_RAW, _CHARACTER, _DOUBLE)),
    ("c", "h", "cc", "cpp", "cxx", "hpp", "m", "mm"): ((_SLASHED, _BLOCK), (_CPP_RAW, _CHARACTER, _DOUBLE)),
    ("java", "kt", "kts", "scala", "swift", "dart", "groovy"): (
        (_SLASHED, _BLOCK),
        (_TRIPLE, _TRIPLE_SINGLE, _DOUBLE, _SINGLE),
    ),
    ("cs", "fs", "vb"): ((_SLASHED, _BLOCK), (_TRIPLE, _VERBATIM, _CHARACTER, _DOUBLE)),
    ("py", "pyi"): ((_HASHED,), (_TRIPLE, _TRIPLE_SINGLE, _DOUBLE, _SINGLE)),
    ("rb", "pl", "pm", "ex", "exs", "cr"): (
        (_HASHED, _QUOTE_CHARACTER),
        (_TRIPLE, _TRIPLE_SINGLE, _HEREDOC, _SIGIL, _DOUBLE_LINES, _SINGLE_LINES, _BACKTICK),
    ),
    ("sh", "bash", "zsh", "toml", "r", "jl"): (
        (_HASHED, _QUOTE_CHARACTER),
        (_TRIPLE, _TRIPLE_SINGLE, _HEREDOC, _DOUBLE_LINES, _SINGLE_LINES, _BACKTICK),
    ),
    ("js", "jsx", "ts", "tsx", "mjs", "cjs", "mts", "cts", "vue", "svelte"): (
        (_SLASHED, _BLOCK),
        (_BACKTICK, _DOUBLE, _SINGLE),
    ),
    ("php",): ((_SLASHED, _BLOCK, _HASHED), (_HEREDOC, _DOUBLE_LINES, _SINGLE_LINES)),
    ("lua", "hs", "elm"): ((_DASHED,), (_LONG_STRING, _DOUBLE, _SINGLE)),
}  # fmt: skip
_OTHERWISE = ((_SLASHED, _BLOCK), (_TRIPLE, _BACKTICK, _DOUBLE, _SINGLE))

_JOINT = re.compile(r"[\s+&\\]*+|\s*\.\.?\s*|\s*<>\s*")
_CONCAT = re.compile(r"\bconcat!\s*[(\[{]\s*\Z")
_NEAR = 200
"""How far before a literal its `concat!(` may stand, and how long what is put between two literals may be."""
_OPERAND = r"&?[\w$@][\w$@.:>\[\]-]{0,80}(?:\([^()\"'`;]{0,60}\)[\w.]{0,40}){0,3}"
_CLOSED = r"(?:\)|\.(?:to_string|to_owned|into)\(\))?"
_PLUS = r"\s*(?:\+|<>|\.\.)\s*"
_PUT_IN = re.compile(rf"{_CLOSED}{_PLUS}{_OPERAND}(?:{_PLUS}{_OPERAND}){{0,4}}{_PLUS}")
_PUT_IN_DOTS = re.compile(rf"\s*\.\s*{_OPERAND}\s*\.\s*")
_PUT_BEHIND = re.compile(rf"{_CLOSED}{_PLUS}{_OPERAND}")
_PUT_BEHIND_DOT = re.compile(r"\s*\.\s*\$\w")
_HOLE = "{}"
_CLOSING = frozenset("\"'`#])}>|/!")
_OPEN_TABLE = re.compile(r"\s*create\b[^()]*\btable\b[^()]*\(", re.IGNORECASE)
_DOCUMENTED = re.compile(
    r"(?:^[ \t]*(?:async[ \t]+def|def|class)\b[^\n]*|^[ \t]*\)[^\n]*):[ \t]*\n\s*\Z|\A\s*\Z", re.MULTILINE
)
_C_FAMILY = frozenset({"c", "h", "cc", "cpp", "cxx", "hpp", "m", "mm"})
_DOTTED = frozenset({"php", "pl", "pm"})
_ADJACENT = frozenset({"py", "c", "h", "cc", "cpp", "dart", "rb"})
_ESCAPE = re.compile(r"\\(?:\n[ \t]*|(.))", re.DOTALL)
_ESCAPE_OR_MARGIN = re.compile(rf"^(?P<margin>[ \t]*\|)|{_ESCAPE.pattern}", re.DOTALL | re.MULTILINE)
_DOUBLED = re.compile('""')
_ESCAPED = {"n": "\n", "t": "\t", "r": "\n", "0": " "}
_RAW = re.compile(r'(?:b?r#*["\']|[rRbBuUfF]*[rR][bBfF]*["\']|R"|\$?@\$?"|<<|\[\[|~S)')


@lru_cache(maxsize=16)
def _pattern(suffix: str) -> re.Pattern[str]:
    comments, strings = next((rules for names, rules in _LANGUAGES.items() if suffix in names), _OTHERWISE)
    hidden = "|".join(comments)
    shown = "|".join(string if string == _BACKTICK else rf"(?<!\w){string}" for string in strings)
    return re.compile(rf"(?P<hidden>{hidden})|(?P<shown>{shown})", re.DOTALL)


def is_known(suffix: str) -> bool:
    """Given the ending of a file's name, return whether the quotes and comments of its language are known."""
    return any(suffix in names for names in _LANGUAGES)


def literals(text: str, path: str) -> list[Literal]:
    """Given source text and its path, whose ending names the language, return its string literals."""
    return list(read_source(text, path).literals)


def read_source(text: str, path: str) -> Source:
    """Given source text and its path, whose ending names the language, return its string literals and comments.

    Neighbours that the code puts together become one; what it puts between or behind them is a hole.
    """
    suffix = path.rpartition(".")[2].lower()
    found, hidden, listed, position = list[Literal](), list[tuple[int, int]](), False, 0
    pattern, closings = _pattern(suffix), _Closings(text)
    while match := pattern.search(text, position):
        start, position = match.span()
        if match["shown"] is None or (suffix == "py" and _DOCUMENTED.search(text[max(0, start - _NEAR) : start])):
            hidden.append((start, position))
            continue
        begin, end, rewritten = _inside(match.group(), suffix)
        piece, stop = Piece(0, start + begin, start + end, rewritten), position
        if position == len(text) and text[-1] not in _CLOSING:
            stop = start  # left open: what seems to be inside may be code
        if match.groupdict().get("tag"):
            closing = closings.after(match["tag"], position)
            if closing is None:  # a shift, or `class << self`
                position = start + 2
                continue
            piece = Piece(0, position, max(position, text.rfind("\n", 0, closing)), None)
            position, stop = closing, closing
        value = _value(text, piece)
        joint = _joint(found[-1], text[found[-1].end : start], suffix, listed=listed) if found else None
        if joint is None:
            found.append(Literal(value, start, stop, (piece,)))
            listed = _CONCAT.search(text, max(0, start - _NEAR), start) is not None
        else:
            known = found[-1].text + joint
            pieces = (*found[-1].pieces, piece._replace(at=len(known)))
            found[-1] = Literal(known + value, found[-1].start, stop, pieces)
    behind = _PUT_BEHIND_DOT if suffix in _DOTTED else _PUT_BEHIND
    whole = (one._replace(text=one.text + _HOLE) if behind.match(text, one.end) else one for one in found)
    return Source(tuple(whole), tuple(hidden))


class _Closings:
    """Where the lines begin that could close a heredoc; looked for once, and only if there is one."""

    def __init__(self, text: str) -> None:
        self.text, self.places = text, dict[str, list[int]]()

    def after(self, tag: str, position: int) -> int | None:
        """Given a heredoc's tag and where its text begins, return where it ends, behind the tag."""
        if not self.places:
            for match in _LINE_START.finditer(self.text):
                self.places.setdefault(match[1], []).append(match.end())
        ends = self.places.get(tag, [])
        index = bisect_right(ends, position)
        return ends[index] if index < len(ends) else None


def _joint(near: Literal, between: str, suffix: str, *, listed: bool) -> str | None:
    """Given a literal and what stands between it and the next, return what joins them; None if nothing does."""
    if len(between) > _NEAR:
        return None
    if not between.strip():
        return "" if suffix in _ADJACENT else None
    if _JOINT.fullmatch(between) or (listed and between.strip() == ","):
        return ""
    if _PUT_IN.fullmatch(between) or (suffix in _DOTTED and _PUT_IN_DOTS.fullmatch(between)):
        return _HOLE
    opened = _OPEN_TABLE.match(near.text) and near.text.count("(") > near.text.count(")")
    return "\n" if opened and "{" not in between and "}" not in between else None


def place_of(text: str, literal: Literal) -> Callable[[int], int]:
    """Given source text and one of its literals, return what takes an offset in its value to where that is written."""
    values, places = list[int](), list[int]()
    for piece in literal.pieces:
        values.append(piece.at)
        places.append(piece.begin)
        saved, inside = 0, text[piece.begin : piece.end]
        for match in piece.rewritten.finditer(inside) if piece.rewritten else ():
            saved += len(match.group()) - len(_meant(match))
            values.append(piece.at + match.end() - saved)
            places.append(piece.begin + match.end())

    def place(offset: int) -> int:
        index = bisect_right(values, offset) - 1
        following = places[index + 1] if index + 1 < len(places) else literal.end  # no further, if it is in a hole
        return min(places[index] + offset - values[index], following)

    return place


def _value(text: str, piece: Piece) -> str:
    """What a string stands for."""
    inside = text[piece.begin : piece.end]
    return piece.rewritten.sub(_meant, inside) if piece.rewritten else inside


def _meant(match: re.Match[str]) -> str:
    written = match.group()
    if written[0] == "\\":
        escaped = match[match.re.groups]
        return _ESCAPED.get(escaped or "", escaped or "")
    return '"' if written == '""' else ""


def _inside(written: str, suffix: str) -> tuple[int, int, re.Pattern[str] | None]:
    """Given a string as it is written, return where the text in it begins and ends, and what is rewritten there."""
    raw = _RAW.match(written) is not None or (suffix == "go" and written[0] == "`")
    opening = next((index for index, character in enumerate(written) if character in "\"'`([{<|/!"), 0)
    rewritten = None if raw else _ESCAPE
    if written.startswith('R"') and suffix in _C_FAMILY:
        begin, end = written.find("(") + 1, written.rfind(")")
    elif written[opening : opening + 3] in ('"""', "'''"):
        begin, end = opening + 3, len(written) - 3
        rewritten = _ESCAPE_OR_MARGIN if suffix in ("kt", "kts", "scala") and not raw else rewritten
    elif written.startswith("[["):
        begin, end = 2, len(written) - 2
    else:
        begin, end = opening + 1, len(written.rstrip("#")) - 1
    if "@" in written[:opening]:
        rewritten = _DOUBLED
    return begin, max(begin, end), rewritten
