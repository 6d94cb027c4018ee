"""SARIF, held against the schema of the standard."""

from __future__ import annotations

import json
import os
import urllib.parse
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator, FormatChecker

from ics_guard import __version__
from ics_guard.detect.rules import RULES
from ics_guard.model import Change, Decision, Severity
from ics_guard.report import sarif
from tests.report_support import allowed, blocked, change, changes, decisions, slowly

SCHEMA = json.loads((Path(__file__).parent.parent / "data" / "sarif" / "sarif-2.1.0-rtm.5.json").read_bytes())
VALIDATOR = Draft4Validator(SCHEMA, format_checker=FormatChecker())
RANGE = {"base": "a" * 40, "head": "b" * 40, "found": "as asked for"}


def run_of(document: dict[str, Any]) -> dict[str, Any]:
    """The one run of a document that is valid, as another program gets it."""
    document = json.loads(json.dumps(document, ensure_ascii=False).encode())
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []
    (run,) = document["runs"]
    found: dict[str, Any] = run
    return found


def test_the_schema_is_asked_and_finds_fault() -> None:
    document = sarif.check_log([change()], RULES)
    document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] = "a b"
    document["runs"][0]["results"][0]["level"] = "loud"
    assert len(list(VALIDATOR.iter_errors(document))) == 2


def test_every_rule_is_described() -> None:
    driver = run_of(sarif.check_log([], RULES))["tool"]["driver"]
    assert driver["semanticVersion"] == __version__
    assert [rule["id"] for rule in driver["rules"]] == list(RULES)
    first = driver["rules"][0]
    assert first["shortDescription"]["text"] == RULES[first["id"]].reason
    assert {rule["defaultConfiguration"]["level"] for rule in driver["rules"]} == {"error", "warning", "note"}


def test_a_change_is_a_result_with_its_rule_its_place_and_its_fingerprint() -> None:
    run = run_of(sarif.check_log([change(path="db/a b é.sql")], RULES, RANGE))
    (result,) = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "sql.drop_table"
    assert result["level"] == "error"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "db/a%20b%20%C3%A9.sql", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 3, "startColumn": 5}
    assert result["partialFingerprints"] == {"schemaChange/v1": "ab" * 32}
    assert run["properties"]["range"] == RANGE


def test_the_level_is_that_of_the_severity_which_policy_may_have_changed() -> None:
    results = run_of(sarif.check_log([change(severity) for severity in Severity], RULES))["results"]
    assert [result["level"] for result in results] == ["error", "warning", "warning", "note", "note"]


def test_reasons_of_a_gate_are_notifications_and_the_verdict_is_the_exit_code() -> None:
    (invocation,) = run_of(sarif.gate_log(blocked(change()), RULES))["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (True, 1)
    (told,) = invocation["toolConfigurationNotifications"]
    assert told["level"] == "error"
    assert told["descriptor"] == {"id": "no-backup", "index": 0}
    assert told["message"]["text"] == "db has no backup yet Do: ics-guard backup db"
    (invocation,) = run_of(sarif.gate_log(allowed(change()), RULES))["invocations"]
    assert invocation["exitCode"] == 0
    assert [one["level"] for one in invocation["toolConfigurationNotifications"]] == ["note"]


def test_more_results_than_github_takes_are_cut_worst_first_and_that_is_said() -> None:
    many = [change(Severity.ADDITIVE, line=n) for n in range(1, sarif.MOST_RESULTS + 2)] + [change()]
    (run,) = sarif.check_log(many, RULES)["runs"]
    assert len(run["results"]) == sarif.MOST_RESULTS
    assert run["results"][0]["level"] == "error"
    (told,) = run["invocations"][0]["toolConfigurationNotifications"]
    assert told["message"]["text"] == "2 more changes are left out."


def test_a_rule_that_the_table_lacks_is_still_described() -> None:
    run = run_of(sarif.check_log([change(rule="new.rule")], RULES))
    assert run["tool"]["driver"]["rules"][run["results"][0]["ruleIndex"]] == {"id": "new.rule"}


@slowly
@given(st.lists(changes, max_size=4))
def test_whatever_a_repository_holds_it_is_valid_and_leads_to_the_file(listed: list[Change]) -> None:
    results = run_of(sarif.check_log(listed, RULES))["results"]
    places = [result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in results]
    assert sorted(map(urllib.parse.unquote_to_bytes, places)) == sorted(os.fsencode(one.path) for one in listed)
    assert not any("](" in result["message"]["text"] for result in results)


@slowly
@given(decisions)
def test_whatever_a_reason_says_it_is_valid(decision: Decision) -> None:
    (invocation,) = run_of(sarif.gate_log(decision, RULES, RANGE))["invocations"]
    assert len(invocation["toolConfigurationNotifications"]) == len(decision.reasons)
