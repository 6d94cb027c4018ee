"""Times and sizes in words, as a tired person reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def age_in_words(span: timedelta) -> str:
    """Given a span, return it in its largest unit, rounded down: `3 days`, `1 minute`, `0 seconds`."""
    seconds = max(0, int(span.total_seconds()))
    for unit, length in _UNITS:
        if seconds >= length or unit == "second":
            count = seconds // length
            return f"{count} {unit}" + ("" if count == 1 else "s")
    raise AssertionError  # pragma: no cover - the last unit always returns


def moment(at: datetime) -> str:
    """Given a moment, return it exact and short, in UTC: `2026-11-23 09:30:00 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def size_in_words(count: int) -> str:
    """Given a number of bytes, return it with a binary unit: `261.4 MiB`."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
