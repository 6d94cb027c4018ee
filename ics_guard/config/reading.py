"""From the text of ics-guard.toml to a `Config`; whatever it cannot mean is an error that says what to write."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from ics_guard.config import table as toml
from ics_guard.config.files import Files, OnDisk
from ics_guard.config.folders import alembic_folders
from ics_guard.config.nouns import Config, Environment, Policy, Rehearse, Retention, Smoke, Source, Watch
from ics_guard.config.patterns import trouble_with
from ics_guard.config.table import Table
from ics_guard.errors import ConfigError
from ics_guard.model import Severity

NAME = "ics-guard.toml"
LOCAL_NAME = "ics-guard.local.toml"
VERSION = 1

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhdw])")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:.+")
_SECRET = re.compile(r"//.*:.*@|(?:pass|pwd)\w*\s*=", re.IGNORECASE)


def load(root: Path, text: str | None = None, *, files: Files | None = None) -> Config:
    """Given the root of a work tree, return its configuration, ics-guard.local.toml applied.

    `files` is the tree to read it from, if not this work tree, and `text` what to read instead of what stands in
    ics-guard.toml. Then folders that it names need not exist. Raise `ConfigError` if there is none, or for anything
    in it that cannot be meant.
    """
    strict = text is None and files is None
    tree = files or OnDisk(root)
    top = toml.read(NAME, _text(tree, NAME) if text is None else text)
    top = replace(top, values=_with_local_places(top.values, root, strict=strict))
    version = top.number("version", 0)
    if version != VERSION:
        found = f"`version` is {version}" if version else "`version` is missing"
        raise top.trouble("version", f"{found}; this ics-guard reads version {VERSION}", f"write version = {VERSION}")
    top.known |= {"default_env", "watch", "policy", "env", "rehearse"}
    top.finish()  # before what is missing: a misspelt table is the likelier cause
    watch, inputs = _watch(top.table("watch"), tree, must_exist=strict)
    policy = _policy(top.table("policy"), Policy())
    environments = {name: _environment(name, one, policy) for name, one in _named(top, "env").items()}
    if not environments:
        raise top.trouble("env", "no environment is configured", "run `ics-guard init`, or add an [env.local]")
    only = next(iter(environments)) if len(environments) == 1 else "local"
    default_env = top.text_of("default_env", only)
    if default_env not in environments:
        said = f"`default_env` is {default_env!r}, which is no environment"
        raise top.trouble("default_env", said, f'write default_env = "{next(iter(environments))}"')
    rehearse = _rehearse(top.table("rehearse")) if top.has("rehearse") else None
    return Config(root, version, default_env, watch, environments, rehearse, (NAME, *inputs))


def _text(files: Files, name: str) -> str:
    if name == NAME and files.is_link(name):
        said = f"{name} is a symbolic link: git keeps where it points, not what it says, and CI would judge by nothing"
        raise ConfigError("config-link", said, f"put the file itself there: cp --remove-destination LINKED {name}")
    content = files.read(name)
    if content is None:
        raise ConfigError("config-missing", f"there is no {name} in {files.root}", "ics-guard init")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError("config-syntax", f"{name} is not UTF-8: {error}", "save the file as UTF-8") from error


def _with_local_places(values: Mapping[str, Any], root: Path, *, strict: bool) -> Mapping[str, Any]:
    """Put the places of ics-guard.local.toml over those of the configuration: paths, urls, stores; nothing else."""
    if not (root / LOCAL_NAME).is_file():
        return values
    merged = copy.deepcopy(dict(values))
    local = toml.read(LOCAL_NAME, _text(OnDisk(root), LOCAL_NAME))
    for env, table in local.tables("env").items():
        places = {key: _place(table, key) for key in ("store", "mirror") if table.has(key)}
        _override(merged, (env,), places, table, strict=strict)
        for name, source in table.tables("sources").items():
            places = {"path": source.optional_text("path"), "url": _url(source)}
            _override(merged, (env, "sources", name), {k: v for k, v in places.items() if v}, source, strict=strict)
            source.finish()
        table.finish()
    local.finish()
    return merged


def _override(merged: Any, path: tuple[str, ...], places: Mapping[str, Any], table: Table, *, strict: bool) -> None:
    target = merged.get("env")
    for key in path:
        target = target.get(key) if isinstance(target, dict) else None
    if isinstance(target, dict):
        target.update(places)
    elif strict:
        raise table.trouble(
            "", f"there is no [{'.'.join(table.path)}] in {NAME} to override", f"add it to {NAME} first"
        )


def _watch(table: Table, files: Files, *, must_exist: bool) -> tuple[Watch, tuple[str, ...]]:
    patterns = {key: _patterns(table, key) for key in ("django", "sql", "embedded", "models", "exclude")}
    folders: list[str] = []
    inputs: list[str] = []
    entries = table.texts("alembic")
    for entry in entries:
        path = entry.strip("/").removeprefix("./") or "."
        if entry.startswith("/") or ".." in path.split("/") or set("*?") & set(path) or not path.isprintable():
            said = f"`alembic` takes files and folders of the repository, not {entry!r}"
            raise table.trouble("alembic", said, 'write alembic = ["alembic.ini"] or alembic = ["path/to/versions"]')
        if path.endswith((".ini", ".cfg", ".toml")):
            try:
                found, said_so = alembic_folders(files, path)
            except ConfigError as error:
                raise table.trouble("alembic", error.message, error.fix, error.code) from error
            folders += found
            inputs += said_so
        elif must_exist and not files.has_folder(path):
            said = f"`alembic` names {entry!r}, and there is no such folder"
            raise table.trouble("alembic", said, "write the folder that holds the revisions, or take the entry out")
        else:
            folders.append(f"{path}/versions" if files.has_folder(f"{path}/versions") else path)
    for folder in folders:
        parts = folder.split("/")
        for length in range(1, len(parts) + 1):
            if files.is_link(link := "/".join(parts[:length])):
                said = f"{folder}, where its revisions are, is behind the link {link}, and git keeps nothing there"
                raise table.trouble(
                    "alembic", said, 'write the folder that the link leads to: alembic = ["…"]', "config-link"
                )
    table.finish()
    watch = Watch(alembic=entries, alembic_folders=tuple(dict.fromkeys(folders)), **patterns)
    return watch, tuple(dict.fromkeys(inputs))


def _patterns(table: Table, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    found = table.texts(key, default)
    for pattern in found:
        if trouble := trouble_with(pattern):
            said = f"the pattern {pattern!r} in `{key}` cannot be used: {trouble}"
            raise table.trouble(key, said, 'write patterns as .gitignore does, for example "db/migrations/*.sql"')
    return found


def _environment(name: str, table: Table, policy: Policy) -> Environment:
    # production is written to by nobody's hook unless its own table says so
    base = replace(policy, on_missing="refuse") if name == "prod" else policy
    environment = Environment(
        name=name,
        store=_place(table, "store") or "backups",
        mirror=_place(table, "mirror"),
        required=table.flag("required", default=False),
        policy=_policy(table.table("policy"), base),
        sources={source: _source(source, one) for source, one in _named(table, "sources").items()},
    )
    table.finish()
    return environment


def _source(name: str, table: Table) -> Source:
    kind = table.choice("kind", "sqlite", ("sqlite", "postgres", "directory"))
    source = Source(
        name=name,
        kind=cast(Any, kind),
        path=table.optional_text("path"),
        url=_url(table),
        guards=_patterns(table, "guards", ("**",)),
        smoke=tuple(_smoke(row) for row in table.rows("smoke")),
        stop=table.optional_text("stop"),
        start=table.optional_text("start"),
        unchecked=table.texts("unchecked"),
        gate=table.flag("gate", default=kind != "directory"),
    )
    needed, other = ("url", "path") if kind == "postgres" else ("path", "url")
    if getattr(source, needed) is None:
        example = 'url = "env:DATABASE_URL"' if kind == "postgres" else 'path = "data/app.db"'
        raise table.trouble(needed, f"a {kind} source needs a `{needed}`", f"write {example}")
    if getattr(source, other) is not None:
        raise table.trouble(other, f"a {kind} source takes a `{needed}`, no `{other}`", f"take `{other}` out")
    table.finish()
    return source


def _smoke(table: Table) -> Smoke:
    smoke = Smoke(table.optional_text("sql"), table.optional_text("run"))
    table.finish()
    if (smoke.sql is None) == (smoke.run is None):
        said = "each entry of `smoke` holds either `sql` or `run`"
        raise table.trouble("", said, 'write smoke = [{ sql = "SELECT …" }, { run = "command" }]')
    return smoke


def _place(table: Table, key: str) -> str | None:
    value = table.optional_text(key)
    if value and _SECRET.search(value):
        raise table.trouble(
            key, f"`{key}` holds a password", "keep it in the environment of the command", "config-secret"
        )
    return value


def _url(table: Table) -> str | None:
    value = table.optional_text("url")
    fix = 'keep it out of the file: url = "env:DATABASE_URL" or url = "file:PATH"'
    if value is None or _REFERENCE.fullmatch(value):
        return value
    if _SECRET.search(value):
        raise table.trouble("url", "`url` holds a password", fix, "config-secret")
    if "://" not in value:
        raise table.trouble("url", "`url` is neither a reference nor a URL", fix)
    return value


def _policy(table: Table, base: Policy) -> Policy:
    retention = table.table("retention")
    rules = table.table("rules")
    asking = table.texts("require_backup", tuple(base.require_backup))
    for word in asking:
        if word not in Policy().require_backup:
            blocking = ", ".join(f'"{one}"' for one in Severity if one is not Severity.NOTICE)
            raise table.trouble("require_backup", f"{word!r} is no severity that can block", f"choose from {blocking}")
    policy = Policy(
        rpo=_duration(table, "rpo", base.rpo),
        rto=_duration(table, "rto", base.rto),
        redrill=_duration(table, "redrill", base.redrill),
        on_missing=cast(Any, table.choice("on_missing", base.on_missing, ("create", "refuse"))),
        require_backup=frozenset(Severity(word) for word in asking),
        on_incoming=cast(Any, table.choice("on_incoming", base.on_incoming, ("backup", "warn", "switch", "off"))),
        retention=Retention(
            daily=retention.number("daily", base.retention.daily),
            weekly=retention.number("weekly", base.retention.weekly),
            monthly=retention.number("monthly", base.retention.monthly),
            keep_min=retention.number("keep_min", base.retention.keep_min, least=1),
        ),
        rehearse_budget=_duration(table, "rehearse_budget", base.rehearse_budget),
        rules={**base.rules, **{rule: Severity(rules.choice(rule, "", tuple(Severity))) for rule in rules.values}},
        current=base.current if (current := table.optional_flag("current")) is None else current,
        waivers=cast(Any, table.choice("waivers", base.waivers, ("accept", "signed", "refuse"))),
    )
    retention.finish()
    table.finish()
    return policy


def _duration(table: Table, key: str, default: timedelta) -> timedelta:
    value = table.optional_text(key)
    if value is None:
        return default
    match = _DURATION.fullmatch(value)
    if not match:
        said = f"`{key}` is {value!r}, which is no duration"
        raise table.trouble(key, said, f'write a number and one of s, m, h, d, w: {key} = "24h"')
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def _rehearse(table: Table) -> Rehearse:
    command = table.optional_text("command")
    if command is None:
        raise table.trouble("command", "[rehearse] needs a `command`", 'write command = "alembic upgrade {revision}"')
    names = table.table("env")
    rehearse = Rehearse(command, {name: names.text_of(name, "") for name in names.values})
    table.finish()
    return rehearse


def _named(table: Table, key: str) -> dict[str, Table]:
    """Names of environments and sources become parts of file names and of commands."""
    found = table.tables(key)
    for name in found:
        if not _PLAIN_NAME.fullmatch(name):
            raise table.trouble(key, f"{name!r} cannot be a name", "use letters, digits, - and _")
    return found
