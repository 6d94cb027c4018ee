"""String literals in source text of any language, with what stands between them (code, comments) left out."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple


class Literal(NamedTuple):
    """The value of a string, or of strings put together, and the offset of its first quote."""

    text: str
    start: int


_SLASHED = r"//[^\n]*"
_BLOCK = r"/\*.*?(?:\*/|\Z)"
_HASHED = r"\#[^\n]*"
_DASHED = r"--[^\n]*"
_TRIPLE = r'[rRbBuUfF]{0,2}"""(?:\\.|[^\\])*?"""'
_TRIPLE_SINGLE = r"[rRbBuUfF]{0,2}'''(?:\\.|[^\\])*?'''"
_RUST_RAW = r'b?r(?P<hashes>\#*)".*?"(?P=hashes)'
_CPP_RAW = r'R"(?P<mark>[^()\s"]*)\(.*?\)(?P=mark)"'
_VERBATIM = r'\$?@\$?"(?:""|[^"])*"'
_DOUBLE_LINES = r'[a-zA-Z]?"(?:\\.|[^"\\])*"'
_DOUBLE = r'[a-zA-Z]{0,2}"(?:\\.|[^"\\\n])*"'
_SINGLE_LINES = r"'(?:\\.|[^'\\])*'"
_SINGLE = r"[a-zA-Z]{0,2}'(?:\\.|[^'\\\n])*'"
_CHARACTER = r"'(?:\\[^\n]{1,8}?|[^'\\\n])'"
_BACKTICK = r"`(?:\\.|[^`\\])*`"
_GO_RAW = r"`[^`]*`"
_HEREDOC = r"<<[<~-]?[ \t]*(?P<q>[\"'`]?)(?P<tag>[A-Za-z_]\w*)(?P=q)[^\n]*\n.*?\n[ \t]*(?P=tag)\b"

_LANGUAGES = {
    ("rs",): ((_SLASHED, _BLOCK), (_RUST_RAW, _CHARACTER, _DOUBLE_LINES)),
    ("go",): ((_SLASHED, _BLOCK), (_GO_RAW, _CHARACTER, _DOUBLE)),
    ("c", "h", "cc", "cpp", "cxx", "hpp", "m", "mm"): ((_SLASHED, _BLOCK), (_CPP_RAW, _CHARACTER, _DOUBLE)),
    ("java", "kt", "kts", "scala", "swift", "dart", "groovy"): (
        (_SLASHED, _BLOCK),
        (_TRIPLE, _TRIPLE_SINGLE, _DOUBLE, _SINGLE),
    ),
    ("cs", "fs", "vb"): ((_SLASHED, _BLOCK), (_TRIPLE, _VERBATIM, _CHARACTER, _DOUBLE)),
    ("py", "pyi"): ((_HASHED,), (_TRIPLE, _TRIPLE_SINGLE, _DOUBLE, _SINGLE)),
    ("rb", "pl", "pm", "sh", "bash", "zsh", "ex", "exs", "cr", "yml", "yaml", "toml", "r", "jl"): (
        (_HASHED,),
        (_TRIPLE, _TRIPLE_SINGLE, _HEREDOC, _DOUBLE_LINES, _SINGLE_LINES, _BACKTICK),
    ),
    ("php",): ((_SLASHED, _BLOCK, _HASHED), (_HEREDOC, _DOUBLE_LINES, _SINGLE_LINES)),
    ("lua", "hs", "elm"): ((_DASHED,), (r"\[\[.*?\]\]", _DOUBLE, _SINGLE)),
}  # fmt: skip
_OTHERWISE = ((_SLASHED, _BLOCK), (_TRIPLE, _BACKTICK, _DOUBLE, _SINGLE))

_JOINT = re.compile(r"[\s+&\\]*|\s*\.\.?\s*")
_CONCAT = re.compile(r"\bconcat!\s*[(\[{]\s*\Z")
_NEAR = 200
"""How far before a literal its `concat!(` may stand, in characters."""
_ESCAPE = re.compile(r"\\(?:\n[ \t]*|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\n", "0": " "}
_RAW = re.compile(r'(?:b?r#*["\']|[rRbBuUfF]*[rR][bBfF]*["\']|R"|\$?@\$?"|<<|\[\[)')


@lru_cache(maxsize=16)
def _pattern(suffix: str) -> re.Pattern[str]:
    comments, strings = next((rules for names, rules in _LANGUAGES.items() if suffix in names), _OTHERWISE)
    hidden = "|".join(comments)
    shown = "|".join(strings)
    return re.compile(rf"(?P<hidden>{hidden})|(?<!\w)(?P<shown>{shown})", re.DOTALL)


def literals(text: str, path: str) -> list[Literal]:
    """Given source text and its path, whose ending names the language, return its string literals.

    Neighbours that the code puts together with nothing but an operator or a line end between them become one.
    """
    suffix = path.rpartition(".")[2].lower()
    raw_ticks = suffix == "go"
    result, end, listed = list[Literal](), -1, False
    for match in _pattern(suffix).finditer(text):
        if match["shown"] is None:
            continue
        value = _value(match, raw_ticks=raw_ticks)
        if result and _joined(text[end : match.start()], suffix, listed=listed):
            result[-1] = Literal(result[-1].text + value, result[-1].start)
        else:
            result.append(Literal(value, match.start()))
            listed = _CONCAT.search(text, max(0, match.start() - _NEAR), match.start()) is not None
        end = match.end()
    return result


def _joined(between: str, suffix: str, *, listed: bool) -> bool:
    """Given what stands between two literals, and whether the first begins a Rust `concat!`, are they one string?"""
    if not between.strip():
        return suffix in ("py", "c", "h", "cc", "cpp")
    return _JOINT.fullmatch(between) is not None or (listed and between.strip() == ",")


def _value(match: re.Match[str], *, raw_ticks: bool) -> str:
    written = match.group()
    if written.startswith("<<"):
        return written.partition("\n")[2].rpartition("\n")[0]
    raw = _RAW.match(written) is not None or (raw_ticks and written[0] == "`")
    opening = next((index for index, character in enumerate(written) if character in "\"'`(["), 0)
    if written.startswith('R"'):
        inside = written[written.index("(") + 1 : written.rindex(")")]
    elif written[opening : opening + 3] in ('"""', "'''"):
        inside = written[opening + 3 : -3]
    elif written.startswith("[["):
        inside = written[2:-2]
    else:
        inside = written[opening + 1 :].rstrip("#")[:-1]
    return inside if raw else _ESCAPE.sub(lambda found: _ESCAPED.get(found[1] or "", found[1] or ""), inside)
