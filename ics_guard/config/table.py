"""One table of a TOML file, taken apart with checks; what is wrong is said with its line and the way to mend it."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ics_guard.errors import ConfigError

_HEADER = re.compile(r"\s*\[\[?([^\[\]]+)\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_WORDS = {str: "text in quotes", bool: "true or false", int: "a whole number", list: "a list", dict: "a table"}


@dataclass
class Table:
    """A table with its place in the file. Every key that is taken is known; `finish` refuses the others."""

    file: str
    text: str
    path: tuple[str, ...]
    values: Mapping[str, Any]
    known: set[str] = field(default_factory=set)

    def has(self, key: str) -> bool:
        """Return whether the key is written here, and count it as known."""
        self.known.add(key)
        return key in self.values

    def text_of(self, key: str, default: str) -> str:
        """Return the text under the key, which is not empty, or the default."""
        return self.optional_text(key) or default

    def optional_text(self, key: str) -> str | None:
        """Return the text under the key, which is not empty, or None."""
        value = self._take(key, str, None)
        if value is not None and not value.strip():
            raise self.trouble(key, f"`{key}` is empty", f"give `{key}` a value, or take the line out")
        if value is not None and "\0" in value:
            raise self.trouble(key, f"`{key}` holds a zero byte", "take it out: no file, command or SQL can hold one")
        return value if value is None else str(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """Return the true or false under the key, or the default."""
        value = self.optional_flag(key)
        return default if value is None else value

    def optional_flag(self, key: str) -> bool | None:
        """Return the true or false under the key, or None."""
        value = self._take(key, bool, None)
        return value if value is None else bool(value)

    def number(self, key: str, default: int, least: int = 0) -> int:
        """Return the number under the key, which is `least` or more, or the default."""
        value = int(self._take(key, int, default))
        if value < least:
            raise self.trouble(key, f"`{key}` is {value}", f"write a number from {least} upwards")
        return value

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return the list of texts under the key, or the default."""
        found = self._take(key, list, list(default))
        if not all(isinstance(one, str) for one in found):
            raise self.trouble(key, f"`{key}` must be a list of texts", f'write {key} = ["…", "…"]')
        return tuple(found)

    def choice(self, key: str, default: str, allowed: tuple[str, ...]) -> str:
        """Return the word under the key, which is one of `allowed`, or the default."""
        value = self.text_of(key, default)
        if value not in allowed:
            raise self.trouble(key, f"`{key}` is {value!r}", f"write {_either(value, allowed)}")
        return value

    def table(self, key: str) -> Table:
        """Return the table under the key, an empty one if it is not written."""
        return Table(self.file, self.text, (*self.path, key), self._take(key, dict, {}))

    def tables(self, key: str) -> dict[str, Table]:
        """Return the tables under the key by name."""
        inner = self.table(key)
        return {name: inner.table(name) for name in inner.values}

    def rows(self, key: str) -> list[Table]:
        """Return the list of tables under the key."""
        found = self._take(key, list, [])
        if not all(isinstance(one, dict) for one in found):
            raise self.trouble(key, f"`{key}` must be a list of tables", f"write {key} = [{{ … }}, {{ … }}]")
        return [Table(self.file, self.text, (*self.path, key), one) for one in found]

    def finish(self) -> None:
        """Raise `ConfigError` for the first key that nobody asked for, naming the nearest that exists."""
        for key in self.values:
            if key not in self.known:
                said = f"there is no key `{key}` {self.name}".rstrip()
                raise self.trouble(
                    key, said, f"did you mean {_either(key, tuple(sorted(self.known)))}?", "config-unknown-key"
                )

    @property
    def name(self) -> str:
        """Return where we are, for a sentence: `in [env.local]`, or nothing at the top."""
        return f"in [{'.'.join(self.path)}]" if self.path else ""

    def trouble(self, key: str, message: str, fix: str, code: str = "config-value") -> ConfigError:
        """Given a key of this table and what is wrong with it, return the error, with its line if it can be found."""
        line = line_of(self.text, (*self.path, key))
        where = f"{self.file}:{line}" if line else f"{self.file} {self.name}".rstrip()
        return ConfigError(code, f"{where}: {message}", fix)

    def _take(self, key: str, kind: type, default: Any) -> Any:
        if not self.has(key):
            return default
        value = self.values[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.trouble(
                key, f"`{key}` must be {_WORDS[kind]}", f"write `{key}` as {_WORDS[kind]}", "config-type"
            )
        return value


def read(file: str, text: str) -> Table:
    """Given TOML, return its top table. Raise `ConfigError` for what is not TOML."""
    try:
        return Table(file, text, (), tomllib.loads(text))
    except (ValueError, RecursionError) as error:  # nested, or a number, beyond what any person writes
        raise ConfigError("config-syntax", f"{file} is not TOML: {error}", f"mend that place in {file}") from error


def line_of(text: str, path: tuple[str, ...]) -> int:
    """Given TOML and the path of a key in it, return the line (from 1) on which the most of that path is written.

    0 if none of it is. The reader of the standard library keeps no places, so headers and keys are looked up here.
    """
    header: tuple[str, ...] = ()
    best, length = 0, 0
    for number, line in enumerate(text.splitlines(), 1):
        if match := _HEADER.match(line):
            header, here = _parts(match[1]), _parts(match[1])
        elif match := _KEY.match(line):
            here = header + _parts(match[1])
        else:
            continue
        if here == path[: len(here)] and len(here) > length:
            best, length = number, len(here)
    return best


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _either(value: str, allowed: tuple[str, ...]) -> str:
    nearest = difflib.get_close_matches(value, allowed, n=1, cutoff=0.5)
    return f"`{nearest[0]}`" if nearest else " or ".join(f"`{one}`" for one in allowed)
