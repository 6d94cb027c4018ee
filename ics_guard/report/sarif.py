"""A verdict as SARIF 2.1.0, as code scanning on GitHub and GitLab takes it."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from ics_guard import __version__
from ics_guard.model import Change, Decision, Reason, Severity
from ics_guard.report.levels import ERROR, LEVELS, NOTE, WARNING, headline, shortened, worst_first

Rules = Mapping[str, tuple[Severity, str]]
"""What the detectors know: for each rule its severity, and the reason in a sentence."""

HOME = "https://github.com/ics-guard/ics-guard"
MOST_RESULTS = 25_000
"""GitHub refuses a run with more."""

_PROBLEM = {ERROR: "error", WARNING: "warning", NOTE: "recommendation"}


def check_log(changes: Sequence[Change], rules: Rules, judged: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Given the changes of a diff, all rules and the range that was judged, return the SARIF document."""
    return _log(changes, (), rules, {}, judged)


def gate_log(decision: Decision, rules: Rules, judged: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Given a decision, all rules and the range that was judged, return the SARIF document.

    Reasons belong to no line: they are notifications of the run, those that block as errors.
    """
    verdict = {
        "exitCode": 0 if decision.allowed else 1,
        "exitCodeDescription": "allow" if decision.allowed else "block",
    }
    return _log(decision.changes, decision.reasons, rules, verdict, judged)


def _log(
    changes: Sequence[Change],
    reasons: Sequence[Reason],
    rules: Rules,
    verdict: Mapping[str, Any],
    judged: Mapping[str, Any] | None,
) -> dict[str, Any]:
    named = list(dict.fromkeys((*rules, *(change.rule for change in changes))))
    places = {name: index for index, name in enumerate(named)}
    shown = worst_first(changes)[:MOST_RESULTS]
    codes = list(dict.fromkeys(reason.code for reason in reasons))
    notifications = [_notification(reason, codes.index(reason.code)) for reason in reasons]
    if left := len(changes) - len(shown):
        notifications.append({"level": "warning", "message": {"text": f"{left} more changes are left out."}})
    driver = {
        "name": "ics-guard",
        "semanticVersion": __version__,
        "informationUri": HOME,
        "rules": [_rule(name, *rules[name]) if name in rules else {"id": name} for name in named],
        "notifications": [{"id": code} for code in codes],
    }
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "ics-guard/"},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The root of the repository."}}},
        "invocations": [{"executionSuccessful": True, **verdict, "toolConfigurationNotifications": notifications}],
        "results": [_result(change, places[change.rule]) for change in shown],
    }
    if judged:
        run["properties"] = {"range": dict(judged)}
    return {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}


def _rule(name: str, severity: Severity, reason: str) -> dict[str, Any]:
    level = LEVELS[severity]
    return {
        "id": name,
        "shortDescription": {"text": reason},
        "defaultConfiguration": {"level": level},
        "helpUri": f"{HOME}/blob/main/docs/detection.md#rules",
        "help": {"text": f"{reason} Severity: {severity}; [policy.rules] in ics-guard.toml sets another."},
        "properties": {"tags": ["schema", str(severity)], "problem.severity": _PROBLEM[level]},
    }


def _result(change: Change, place: int) -> dict[str, Any]:
    return {
        "ruleId": change.rule,
        "ruleIndex": place,
        "level": LEVELS[change.severity],
        "message": {"text": _message(f"{headline(change)}: {shortened(change.reason)}")},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(change.path), "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": change.line, "startColumn": change.column},
                }
            }
        ],
        "partialFingerprints": {"schemaChange/v1": change.digest},
        "properties": {
            "severity": str(change.severity),
            "operation": change.operation,
            "object": shortened(change.object),
            "kind": str(change.kind),
            "sources": [shortened(source) for source in change.sources],
        },
    }


def _notification(reason: Reason, place: int) -> dict[str, Any]:
    fix = f" Do: {shortened(reason.fix, 1000)}" if reason.fix and reason.blocking else ""
    return {
        "descriptor": {"id": reason.code, "index": place},
        "level": ERROR if reason.blocking else NOTE,
        "message": {"text": _message(shortened(reason.message, 1000) + fix)},
    }


def _message(text: str) -> str:
    """Plain text: what SARIF would read as a link is none any more."""
    return text.replace("](", "] (")


def _uri(path: str) -> str:
    """The path as a relative reference: its bytes, whatever they are, percent-encoded."""
    return urllib.parse.quote(os.fsencode(path))
