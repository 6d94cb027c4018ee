"""SQL as a list of statements whose spelling no longer matters: a lexer of a dozen lines, for labels only."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""(?P<idle> \s+ | --[^\n]* | /\*.*?\*/ )
      | (?P<quoted> '(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*` | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
      | (?P<word> \w+ )
      | (?P<other> . )""",
    re.DOTALL | re.VERBOSE,
)
_BODY = re.compile(r"\$(\w*)\$(.*)\$\1\$", re.DOTALL)
_DOWN = re.compile(
    r"^--\s*(?:\+goose\s+down|\+migrate\s+down|migrate:down|@down)\b.*?(?=^--\s*(?:\+goose\s+up|migrate:up)\b|\Z)",
    re.IGNORECASE | re.DOTALL | re.MULTILINE,
)
_ROLE = re.compile(r"(?:create|alter|drop) (?:user|role|group|default privileges)\b")
_STRUCTURE = ("create", "alter", "drop", "truncate", "rename")
_INSIDE = re.compile(r"\b(?:create|alter|drop|truncate)\s+\w+", re.IGNORECASE)


def statements(text: str) -> list[str]:
    """Given SQL, return its statements: words in lower case, one space between tokens, no comments."""
    return [" ".join(_plain(token) for token in tokens) for tokens, _ in _split(text)]


def sources(text: str) -> list[str]:
    """Given SQL, return its statements as written."""
    return [source for _, source in _split(text)]


def is_structure(statement: str) -> bool:
    """Given a statement of `statements`, return whether it says what structure there is, and not what rows."""
    verb = statement.partition(" ")[0]
    if _ROLE.match(statement):
        return False
    return verb in _STRUCTURE or (verb in ("do", "begin", "if", "declare") and bool(_INSIDE.search(statement)))


def without_rollback(text: str) -> str:
    """Given a migration, return it without the section that undoes it."""
    return _DOWN.sub("", text)


def _split(text: str) -> list[tuple[list[str], str]]:
    """Tokens and source of each statement; the semicolons in the body of a trigger end none."""
    found: list[tuple[list[str], str]] = []
    tokens: list[str] = []
    start, depth = 0, 0
    for match in _TOKEN.finditer(text.lstrip("\ufeff")):
        token = match.group()
        if match["idle"]:
            continue
        if token == ";" and depth <= 0:
            found += [(tokens, text[start : match.end()])] if tokens else []
            tokens, start, depth = [], match.end(), 0
            continue
        if tokens[:1] and tokens[0].lower() == "create" and "trigger" in map(str.lower, tokens[:5]):
            depth += {"begin": 1, "case": 1, "end": -1}.get(token.lower(), 0)
        tokens.append(token)
    return found + ([(tokens, text[start:])] if tokens else [])


def _plain(token: str) -> str:
    """Quotes around a name that means the same without them are a matter of taste, the layout of a body is another."""
    if body := _BODY.fullmatch(token):
        return f"$$ {' ; '.join(statements(body[2]))} $$"
    if re.fullmatch(r"\w+", token):
        return token.lower()
    return token[1:-1] if re.fullmatch(r"""(["`])[a-z_][a-z0-9_]*\1""", token) else token
