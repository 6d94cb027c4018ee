"""Two configurations compared: what does the later one ask for less than the earlier one?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from ics_guard.config.nouns import Config, Environment, Policy, Source, Watch
from ics_guard.config.patterns import apart, covers
from ics_guard.model import Severity

_ON_INCOMING = ("backup", "switch", "warn", "off")
_ON_MISSING = ("refuse", "create")
_WAIVERS = ("refuse", "signed", "accept")


@dataclass(frozen=True)
class Loosening:
    """One way in which less is asked: the path of the key in ics-guard.toml, and what it was and is, in words.

    `meaning` has the values where the words do not: what answers for one loosening answers for no other.
    """

    key: tuple[str, ...]
    said: str
    meaning: str = ""


def loosenings(before: Config, after: Config, severities: Mapping[str, Severity]) -> tuple[Loosening, ...]:
    """Given a configuration, the one that replaces it, and what each rule says by itself, return what is asked less."""
    found = [*_watch(before.watch, after.watch)]
    if before.default_env != after.default_env:
        said = f"commands and hooks work in {after.default_env}, it was {before.default_env}"
        found.append(Loosening(("default_env",), said))
    for name, environment in before.environments.items():
        if name in after.environments:
            found += _environment(environment, after.environments[name], severities)
        else:
            found.append(Loosening(("env", name), f"the environment {name} is gone"))
    return tuple(found)


def _watch(before: Watch, after: Watch) -> Iterator[Loosening]:
    for folder in before.alembic_folders:
        if not any(one == "." or f"{folder}/".startswith(f"{one}/") for one in after.alembic_folders):
            said = f"revisions in {folder} are not watched any more"
            yield Loosening(("watch", "alembic"), said, _values(before.alembic_folders, after.alembic_folders))
    stronger = list(set(after.revisions) - set(before.revisions))
    for key in ("django", "sql", "embedded", "models"):  # each takes a file from all that come after it
        old, new = getattr(before, key), getattr(after, key)
        if old != new and any(one.startswith("!") for one in (*old, *new)):
            yield Loosening(("watch", key), "what is left out, or the order, is another", _values(old, new))
        for pattern in old:
            if pattern.startswith("!"):
                continue
            if not any(covers(one, pattern) for one in new):
                yield Loosening(("watch", key), f"{pattern} is not watched as {key} any more", _values(old, new))
            elif key != "models" and (taken := [one for one in stronger if not apart(one, pattern)]):
                said = f"{pattern} is not watched as {key} where {', '.join(taken)} is"
                yield Loosening(("watch", key), said, _values(old, new))
        stronger += [one for one in new if one not in old and not one.startswith("!")]
    fewer = [one for one in before.exclude if one in after.exclude or one.startswith("!")]
    if list(after.exclude) != fewer:
        added = ", ".join(one for one in after.exclude if one not in before.exclude) or "what was, in another order"
        said = f"excluded is {added}"
        yield Loosening(("watch", "exclude"), said, _values(before.exclude, after.exclude))


def _environment(before: Environment, after: Environment, severities: Mapping[str, Severity]) -> Iterator[Loosening]:
    path = ("env", before.name)
    if before.store != after.store:
        yield Loosening((*path, "store"), f"backups and ledger are in {after.store}, they were in {before.store}")
    if before.required and not after.required:
        yield Loosening((*path, "required"), "the data may be absent now")
    if before.mirror and not after.mirror:
        yield Loosening((*path, "mirror"), "there is no second place any more")
    yield from _policy(path, before.policy, after.policy, severities)
    for name, source in before.sources.items():
        if name in after.sources:
            yield from _source((*path, "sources", name), source, after.sources[name])
        else:
            yield Loosening((*path, "sources", name), f"the source {name} is gone")


def _policy(
    path: tuple[str, ...], before: Policy, after: Policy, severities: Mapping[str, Severity]
) -> Iterator[Loosening]:
    for key in ("rpo", "rto", "redrill"):
        old, new = getattr(before, key), getattr(after, key)
        if new > old:
            yield Loosening((*path, "policy", key), f"{key} is {_in_words(new)}, it was {_in_words(old)}")
    for key, order in (("on_missing", _ON_MISSING), ("on_incoming", _ON_INCOMING), ("waivers", _WAIVERS)):
        old, new = getattr(before, key), getattr(after, key)
        if order.index(new) > order.index(old):
            yield Loosening((*path, "policy", key), f'{key} is "{new}", it was "{old}"')
    for severity in sorted(before.require_backup - after.require_backup):
        yield Loosening((*path, "policy", "require_backup"), f"{severity} changes need no backup any more")
    for rule in sorted(before.rules.keys() | after.rules.keys()):
        default = severities.get(rule, Severity.DESTRUCTIVE)
        old, new = before.rules.get(rule, default), after.rules.get(rule, default)
        if new.rank > old.rank:
            yield Loosening((*path, "policy", "rules", rule), f"{rule} is {new}, it was {old}")
    if before.current is not False and after.current is False:
        yield Loosening((*path, "policy", "current"), "a backup may be of an earlier state of the data")
    if before.retention != after.retention and any(
        getattr(after.retention, key) < getattr(before.retention, key)
        for key in ("daily", "weekly", "monthly", "keep_min")
    ):
        said = "fewer backups are kept"
        yield Loosening((*path, "policy", "retention"), said, _values(before.retention, after.retention))


def _source(path: tuple[str, ...], before: Source, after: Source) -> Iterator[Loosening]:
    if before.gate and not after.gate:
        yield Loosening((*path, "gate"), "no change waits for this source any more")
    negated = any(one.startswith("!") for one in (*before.guards, *after.guards))
    if before.guards != after.guards and (negated or not {*before.guards} <= {*after.guards}):
        yield Loosening((*path, "guards"), f"it guards {', '.join(after.guards)}, it was {', '.join(before.guards)}")
    old, new = ((one.kind, one.path, one.url) for one in (before, after))
    if old != new:
        yield Loosening((*path, "path"), "it is another place now", _values(old, new))
    for name in after.unchecked:
        if name not in before.unchecked:
            yield Loosening((*path, "unchecked"), f"{name} is not checked any more")
    for smoke in before.smoke:
        if smoke not in after.smoke:
            yield Loosening((*path, "smoke"), "a smoke check is gone", _values(smoke, after.smoke))


def _values(old: object, new: object) -> str:
    return f"{old!r} -> {new!r}"


def _in_words(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    unit, length = next((u, n) for u, n in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)) if seconds % n == 0)
    return f"{seconds // length}{unit}"
