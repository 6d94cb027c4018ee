"""Two configurations compared: what does the later one ask for less than the earlier one?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from ics_guard.config.nouns import Config, Environment, Policy, Source, Watch
from ics_guard.model import Kind, Severity

_KINDS = {"django": Kind.DJANGO, "sql": Kind.SQL, "embedded": Kind.EMBEDDED, "models": Kind.MODEL}
_ON_INCOMING = ("backup", "switch", "warn", "off")
_ON_MISSING = ("refuse", "create")
_WAIVERS = ("refuse", "signed", "accept")


@dataclass(frozen=True)
class Loosening:
    """One way in which less is asked: the path of the key in ics-guard.toml, and what it was and is, in words."""

    key: tuple[str, ...]
    said: str


def loosenings(before: Config, after: Config) -> tuple[Loosening, ...]:
    """Given a configuration and the one that replaces it, return everything that the new one asks for less."""
    found = [*_watch(before.watch, after.watch)]
    for name, environment in before.environments.items():
        if name in after.environments:
            found += _environment(environment, after.environments[name])
        else:
            found.append(Loosening(("env", name), f"the environment {name} is gone"))
    return tuple(found)


def _watch(before: Watch, after: Watch) -> Iterator[Loosening]:
    for folder in before.alembic_folders:
        if after.kind_of(f"{folder}/x.py") is not Kind.ALEMBIC:
            yield Loosening(("watch", "alembic"), f"revisions in {folder} are not watched any more")
    for key, kind in _KINDS.items():
        old, new = getattr(before, key), getattr(after, key)
        for pattern in old:
            if pattern not in new and not pattern.startswith("!") and after.kind_of(_example(pattern)) is not kind:
                yield Loosening(("watch", key), f"{pattern} is not watched as {key} any more")
        yield from (Loosening(("watch", key), f"{one} is left out") for one in new if one[:1] == "!" and one not in old)
    for pattern in after.exclude:
        if pattern not in before.exclude:
            yield Loosening(("watch", "exclude"), f"{pattern} is excluded")


def _example(pattern: str) -> str:
    """A path that the pattern matches: if the new patterns match it as well, they are only written in another way."""
    named = pattern.strip("/").replace("**", "any/where").replace("*", "any").replace("?", "x")
    return f"{named}/x" if pattern.endswith("/") else named


def _environment(before: Environment, after: Environment) -> Iterator[Loosening]:
    path = ("env", before.name)
    if before.required and not after.required:
        yield Loosening((*path, "required"), "the data may be absent now")
    if before.mirror and not after.mirror:
        yield Loosening((*path, "mirror"), "there is no second place any more")
    yield from _policy(path, before.policy, after.policy)
    for name, source in before.sources.items():
        if name in after.sources:
            yield from _source((*path, "sources", name), source, after.sources[name])
        else:
            yield Loosening((*path, "sources", name), f"the source {name} is gone")


def _policy(path: tuple[str, ...], before: Policy, after: Policy) -> Iterator[Loosening]:
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
        if said := _rule(before.rules.get(rule), after.rules.get(rule)):
            yield Loosening((*path, "policy", "rules", rule), f"{rule} {said}")
    if before.current is not False and after.current is False:
        yield Loosening((*path, "policy", "current"), "a backup may be of an earlier state of the data")
    if before.retention != after.retention and any(
        getattr(after.retention, key) < getattr(before.retention, key)
        for key in ("daily", "weekly", "monthly", "keep_min")
    ):
        yield Loosening((*path, "policy", "retention"), "fewer backups are kept")


def _rule(old: Severity | None, new: Severity | None) -> str:
    """A severity of one's own that comes, goes or sinks. What the rule says by itself is not known here."""
    if old == new:
        return ""
    if new is None:
        return f"is not set to {old} any more"
    return f"is set to {new}" if old is None or new.rank > old.rank else ""


def _source(path: tuple[str, ...], before: Source, after: Source) -> Iterator[Loosening]:
    if before.gate and not after.gate:
        yield Loosening((*path, "gate"), "no change waits for this source any more")
    lost = [one for one in before.guards if one not in after.guards and one[:1] != "!"]
    if lost or any(one[:1] == "!" and one not in before.guards for one in after.guards):
        yield Loosening((*path, "guards"), f"it guards {', '.join(after.guards)}, it was {', '.join(before.guards)}")
    if (before.kind, before.path, before.url) != (after.kind, after.path, after.url):
        yield Loosening((*path, "path"), "it is another place now")
    for name in after.unchecked:
        if name not in before.unchecked:
            yield Loosening((*path, "unchecked"), f"{name} is not checked any more")
    for smoke in before.smoke:
        if smoke not in after.smoke:
            yield Loosening((*path, "smoke"), f"a smoke check is gone: {smoke.sql or smoke.run}")


def _in_words(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    unit, length = next((u, n) for u, n in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)) if seconds % n == 0)
    return f"{seconds // length}{unit}"
