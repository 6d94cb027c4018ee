"""Where Alembic's revisions are, as alembic.ini or pyproject.toml says it. Nothing is imported or run.

Alembic's own reader is a ConfigParser with one extra name, `here`; taking it from Alembic would import SQLAlchemy, a
third of a second on every commit, and its resolution of `package:folder` imports the package.
"""

from __future__ import annotations

import configparser
import os
import posixpath
import re
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ics_guard.config.files import Files
from ics_guard.errors import ConfigError

_SEPARATORS = {"space": " ", "newline": "\n", "os": os.pathsep, ":": ":", ";": ";"}


@dataclass(frozen=True)
class _Setup:
    """One Alembic environment as written: where its script folder is, and its folders of revisions if listed."""

    script_location: str
    version_locations: tuple[str, ...]
    import_roots: tuple[str, ...]


def alembic_folders(files: Files, entry: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Given an ini file or a pyproject.toml, return the folders of revisions it names, and the files that said so.

    All are relative to the root, as `entry` is. Raise `ConfigError` if the file says nothing, or names a folder that is
    not there or not in the repository.
    """
    inputs = [entry]
    try:
        setups = _read(files, entry)
        beside = _joined(posixpath.dirname(entry), "pyproject.toml")
        if beside and beside != entry:  # where there are both, Alembic takes what it finds from either
            with suppress(FileNotFoundError):
                setups += _read(files, beside)
                inputs.append(beside)
    except FileNotFoundError as error:
        raise _unresolved(entry, "there is no such file") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, configparser.Error) as error:
        raise _unresolved(entry, f"it cannot be read: {' '.join(str(error).split())}") from error
    if not setups:
        raise _unresolved(entry, "it holds no script_location")
    folders = [folder for setup in setups for folder in _folders(files, entry, setup)]
    return tuple(dict.fromkeys(folders)), tuple(inputs)


def _read(files: Files, name: str) -> list[_Setup]:
    content = files.read(name)
    if content is None:
        raise FileNotFoundError(name)
    here = (files.root / posixpath.dirname(name)).absolute().as_posix()
    text = content.decode("utf-8-sig")
    return _read_toml(text, here) if name.endswith(".toml") else _read_ini(text, here)


def _read_ini(text: str, here: str) -> list[_Setup]:
    parser = configparser.ConfigParser({"here": here.replace("%", "%%")})
    parser.read_string(text)
    # `alembic -n NAME` takes another section than [alembic], so all that could be meant are
    sections = [parser[name] for name in parser.sections() if parser.has_option(name, "script_location")]
    return [
        _Setup(
            section["script_location"],
            tuple(_split(section, section.get("version_locations", ""))),
            tuple(re.split(r"[\s,:;]+", section.get("prepend_sys_path", "").strip())),
        )
        for section in sections
    ]


def _split(section: configparser.SectionProxy, locations: str) -> Iterator[str]:
    named = section.get("path_separator") or section.get("version_path_separator")
    parts = locations.split(_SEPARATORS[named]) if named else re.split(r",\s*|\s+", locations)
    return (part.strip() for part in parts if part.strip())


def _read_toml(text: str, here: str) -> list[_Setup]:
    table: Any = tomllib.loads(text).get("tool", {}).get("alembic", {})
    if not {"script_location", "version_locations"} & table.keys():
        return []
    filled = {"here": here}
    locations = tuple(location % filled for location in table.get("version_locations", ()))
    roots = tuple(place % filled for place in table.get("prepend_sys_path", ()))
    return [_Setup(table.get("script_location", "") % filled, locations, roots)]


def _folders(files: Files, entry: str, setup: _Setup) -> Iterator[str]:
    # A relative path is meant from where alembic is started: mostly the root, or where its configuration is
    bases = list(dict.fromkeys((posixpath.dirname(entry) or ".", ".")))
    roots = [_joined(base, place, files.root) for base in bases for place in setup.import_roots]
    packages = [*filter(None, roots), *bases, "src", _joined(bases[0], "src") or "src"]
    for location in setup.version_locations:
        found = next(_candidates(files, entry, location, bases, packages), None)
        if found is None:
            raise _unresolved(entry, f"it names {location!r}, and there is no such folder in the repository")
        yield found
    if setup.version_locations or not setup.script_location:
        return
    for script in _candidates(files, entry, setup.script_location, bases, packages):
        versions = _joined(script, "versions") or script
        if files.has_folder(versions) or files.read(_joined(script, "env.py") or script) is not None:
            yield versions
            return
    said = f"its script_location is {setup.script_location!r}, and there is no such folder in the repository"
    raise _unresolved(entry, said)


def _candidates(files: Files, entry: str, location: str, bases: list[str], packages: list[str]) -> Iterator[str]:
    """The folders that a location may mean. Raise `ConfigError` for one outside of the repository."""
    if ":" in location and not posixpath.isabs(location):
        package, *inside = location.split(":")
        bases, location = packages, posixpath.join(*package.split("."), *inside)
    for base in bases:
        path = _joined(base, location, files.root)
        if path is None:
            if (files.root / base / location).is_dir():
                raise _unresolved(entry, f"it names {location}, which is outside of the repository")
        elif files.has_folder(path):
            yield path


def _joined(base: str, location: str, root: Path | None = None) -> str | None:
    """A location as seen from a folder, relative to the root of the repository; None if that is outside of it."""
    path = posixpath.normpath(posixpath.join(base, location))
    if posixpath.isabs(path) and root is not None:
        path = posixpath.relpath(path, root.absolute().as_posix())
    return None if path == ".." or path.startswith(("../", "/")) else path


def _unresolved(entry: str, why: str) -> ConfigError:
    return ConfigError(
        "config-alembic",
        f"where the revisions of {entry} are cannot be told: {why}",
        'write the folder of revisions itself in ics-guard.toml: alembic = ["path/to/versions"]',
    )
