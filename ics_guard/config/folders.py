"""Where Alembic's revisions are, as alembic.ini or pyproject.toml says it. Nothing is imported or run.

Alembic's own reader is a ConfigParser with one extra name, `here`; taking it from Alembic would import SQLAlchemy, a
third of a second on every commit, and its resolution of `package:folder` imports the package.
"""

from __future__ import annotations

import configparser
import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ics_guard.errors import ConfigError

_SEPARATORS = {"space": " ", "newline": "\n", "os": os.pathsep, ":": ":", ";": ";"}


@dataclass(frozen=True)
class _Setup:
    """One Alembic environment as written: where its script folder is, and its folders of revisions if listed."""

    script_location: str
    version_locations: tuple[str, ...]
    import_roots: tuple[str, ...]


def alembic_folders(root: Path, entry: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Given an ini file or a pyproject.toml, return the folders of revisions it names, and the files that said so.

    All are relative to `root`, as `entry` is. Raise `ConfigError` if the file says nothing, or names a folder that is
    not there or not in the repository.
    """
    file = root / entry
    if not file.is_file():
        raise _unresolved(entry, "there is no such file")
    inputs = [entry]
    try:
        setups = _read_toml(file) if file.suffix == ".toml" else _read_ini(file)
        beside = file.parent / "pyproject.toml"
        if not setups and beside != file and beside.is_file():  # `alembic init -t pyproject` splits its configuration
            setups = _read_toml(beside)
            inputs.append(_relative(root, beside, entry))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, configparser.Error) as error:
        raise _unresolved(entry, f"it cannot be read: {' '.join(str(error).split())}") from error
    if not setups:
        raise _unresolved(entry, "it holds no script_location")
    folders = (
        _relative(root, folder, entry) for setup in setups for folder in _folders(root, file.parent, entry, setup)
    )
    return tuple(dict.fromkeys(folders)), tuple(inputs)


def _read_ini(file: Path) -> list[_Setup]:
    parser = configparser.ConfigParser({"here": file.parent.absolute().as_posix().replace("%", "%%")})
    parser.read_string(file.read_text("utf-8-sig"))
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


def _read_toml(file: Path) -> list[_Setup]:
    table: Any = tomllib.loads(file.read_text("utf-8")).get("tool", {}).get("alembic", {})
    if "script_location" not in table:
        return []
    here = {"here": file.parent.absolute().as_posix()}
    locations = tuple(location % here for location in table.get("version_locations", ()))
    return [
        _Setup(table["script_location"] % here, locations, tuple(p % here for p in table.get("prepend_sys_path", ())))
    ]


def _folders(root: Path, beside: Path, entry: str, setup: _Setup) -> Iterator[Path]:
    # A relative path is meant from where alembic is started: mostly the root, or where its configuration is
    bases = [beside, root]
    packages = [*(base / place for base in bases for place in setup.import_roots), *bases, root / "src", beside / "src"]
    for location in setup.version_locations:
        found = next(_candidates(location, bases, packages), None)
        if found is None:
            raise _unresolved(entry, f"it names {location!r}, and there is no such folder in the repository")
        yield found
    if setup.version_locations:
        return
    for script in _candidates(setup.script_location, bases, packages):
        if (script / "env.py").is_file() or (script / "versions").is_dir():
            yield script / "versions"
            return
    said = f"its script_location is {setup.script_location!r}, and there is no such folder in the repository"
    raise _unresolved(entry, said)


def _candidates(location: str, bases: list[Path], packages: list[Path]) -> Iterator[Path]:
    if ":" in location and not Path(location).is_absolute():
        package, *inside = location.split(":")
        paths = [base.joinpath(*package.split("."), *inside) for base in packages]
    else:
        paths = [base / location for base in bases]
    return (path for path in paths if path.is_dir())


def _relative(root: Path, path: Path, entry: str) -> str:
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError as error:
        raise _unresolved(entry, f"it names {path}, which is outside of the repository") from error


def _unresolved(entry: str, why: str) -> ConfigError:
    return ConfigError(
        "config-alembic",
        f"where the revisions of {entry} are cannot be told: {why}",
        'write the folder of revisions itself in ics-guard.toml: alembic = ["path/to/versions"]',
    )
