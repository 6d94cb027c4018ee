"""Bytes of a text file to text, or the knowledge that it is none."""

from __future__ import annotations

import codecs
import re

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x19\x1b-\x1f\x7f-\x84\x86-\x9f]")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode(content: bytes) -> str | None:
    """Given a file's bytes, return its text with newlines as `\\n`, or None if it is not text.

    A byte order mark decides; else UTF-8, else UTF-16 without a mark if every other byte is zero, else Windows-1252.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _strictly(content[len(mark) :], encoding)
    for encoding in ("utf-8", *_bare_utf16(content), "cp1252"):
        text = _strictly(content, encoding)
        if text is not None:
            return text
    return None


def _bare_utf16(content: bytes) -> tuple[str, ...]:
    if not content or len(content) % 2:
        return ()
    half = len(content) // 2
    if content[1::2].count(0) > half * 0.7:
        return ("utf-16-le",)
    return ("utf-16-be",) if content[::2].count(0) > half * 0.7 else ()


def _strictly(content: bytes, encoding: str) -> str | None:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(text) else text.replace("\r\n", "\n").replace("\r", "\n")


def word_set(text: str) -> frozenset[str]:
    """Given words with spaces between them, return the set of them (tables of keywords stay readable this way)."""
    return frozenset(text.split())
