"""A replay as a document of JSON, and documents as text or as Markdown tables.

`python -m benchmarks.replay.pages A.json B.json` prints the Markdown of several replays, with their sum.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.replay.nouns import MEANINGS, Label, Scored
from benchmarks.replay.python_labels import PLAINLY_OTHER
from benchmarks.replay.run import Replay
from benchmarks.replay.sql_labels import BY_TEXT

_SUMS = (
    "commits",
    "schema_commits",
    "schema_commits_found",
    "plain_commits",
    "plain_commits_found",
    "noticed",
    "watched_without_content",
)
RECALL = 0.995
NOISE = {Label.FORMATTED: 0.01, Label.RENAMED: 0.01, Label.NONE: 0.005}

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"

Document = dict[str, Any]


def as_document(result: Replay) -> Document:
    """Given a replay, return it as plain values."""
    labels = Counter(label for one in result.scored for label in one.counts)
    agreeing = Counter(label for one in result.scored for label, agrees in one.counts.items() if agrees)
    schema = [one for one in result.scored if _has_schema(one)]
    files = Counter(file.label for one in result.scored for file in one.files)
    plain = [one for one in result.scored if _has_schema(one) or _silent(one)]
    wrong = Counter(
        bad.label for one in result.scored for bad in one.disagreements if bad.what in ("missed", "false alarm")
    )
    document: Document = {
        "history": result.name,
        "head": result.head,
        "commits": len(result.scored),
        "schema_commits": len(schema),
        "schema_commits_found": sum(all(one.counts.values()) for one in schema),
        "watched_without_content": sum(Label.NONE in one.counts and bool(one.files) for one in result.scored),
        "plain_commits": len(plain),
        "plain_commits_found": sum(all(one.counts.values()) and not _silent(one) for one in plain),
        "noticed": sum(any(bad.what == "notice only" for bad in one.disagreements) for one in schema),
        "by_label": {
            str(label): {
                "commits": labels[label],
                "agree": agreeing[label],
                "files": files[label],
                "files_wrong": wrong[label],
            }
            for label in Label
        },
        "absent": list(result.absent),
        "sql_files": sum(file.edit.path.endswith(".sql") for one in result.scored for file in one.files),
        "sql_files_by_text": sum(BY_TEXT in file.how for one in result.scored for file in one.files),
        "plainly_other": [
            {"commit": one.oid, "path": file.edit.path}
            for one in result.scored
            for file in one.files
            if file.how == PLAINLY_OTHER
        ],
        "engine_seconds": round(result.engine_seconds, 1),
        "label_seconds": round(result.label_seconds, 1),
        "disagreements": [
            {
                "commit": bad.commit,
                "path": bad.path,
                "what": bad.what,
                "label": str(bad.label),
                "how": bad.how,
                "rules": list(bad.rules),
            }
            for one in result.scored
            for bad in one.disagreements
        ],
    }
    return {**document, **_judged(document)}


def _has_schema(one: Scored) -> bool:
    return any(label.schema for label in one.counts)


def _silent(one: Scored) -> list[str]:
    """The files of a commit that plain trees would call changed, and of which the engine said nothing."""
    return [file.edit.path for file in one.files if file.how == PLAINLY_OTHER and file.edit.path not in one.told]


def summed(documents: Sequence[Document]) -> Document:
    """Given documents, return the one of them all."""
    by_label = {
        str(label): {
            key: sum(one["by_label"][label][key] for one in documents)
            for key in ("commits", "agree", "files", "files_wrong")
        }
        for label in Label
    }
    total: Document = {
        "history": "all",
        **{key: sum(one[key] for one in documents) for key in _SUMS},
        "by_label": by_label,
        "engine_seconds": round(sum(one["engine_seconds"] for one in documents), 1),
        "disagreements": [],
    }
    return {**total, **_judged(total)}


def _judged(document: Document) -> Document:
    """Recall and false alarms by commit, and whether they are what docs/detection-measured.md promises."""
    cells = document["by_label"]

    def rate(labels: Sequence[Label]) -> float | None:
        commits = sum(cells[label]["commits"] for label in labels)
        return sum(cells[label]["agree"] for label in labels) / commits if commits else None

    commits = document["schema_commits"]
    recall = document["schema_commits_found"] / commits if commits else None
    firm = rate([Label.ADDED, Label.DELETED])
    taste, silent = rate([Label.FORMATTED, Label.RENAMED]), rate([Label.NONE])
    met = (
        (firm is None or firm == 1.0)
        and (recall is None or recall >= RECALL)
        and (taste is None or 1 - taste <= NOISE[Label.FORMATTED])
        and (silent is None or 1 - silent <= NOISE[Label.NONE])
    )
    return {
        "recall": recall,
        "recall_by_plain_trees": document["plain_commits_found"] / plain
        if (plain := document["plain_commits"])
        else None,
        "recall_of_additions_and_deletions": firm,
        "false_alarms_on_formatting_and_renaming": None if taste is None else 1 - taste,
        "false_alarms_without_schema_content": None if silent is None else 1 - silent,
        "targets_met": met,
    }


def as_text(document: Document) -> str:
    """Given a document, return it for a terminal."""
    lines = [f"{document['history']}: {document['commits']} commits up to {document['head'][:12]}", ""]
    for label in Label:
        cell = document["by_label"][label]
        if cell["commits"]:
            lines.append(
                f"  {label:10} {cell['commits']:6} commits  {_wrong(label, cell):>16}  "
                f"{cell['files']:6} files, {cell['files_wrong']} wrong   {MEANINGS[label]}"
            )
    lines.append(f"  {document['noticed']} of the commits with schema content were seen as a notice only")
    lines.append(f"  {document['watched_without_content']} of the commits without touch a watched file")
    lines += ["", *(f"  {key.replace('_', ' '):42} {_percent(document[key])}" for key in _RATES)]
    lines += ["", f"  engine {document['engine_seconds']} s, labels {document['label_seconds']} s"]
    if document["sql_files"]:
        lines.append(
            f"  {document['sql_files']} SQL files, {document['sql_files_by_text']} of them labelled by text alone"
        )
    lines.append("")
    lines += [f"  {_named(one)}" for one in document["disagreements"]]
    lines += [f"  changed by plain trees: {one['commit'][:12]} {one['path']}" for one in document["plainly_other"]]
    lines += [f"  not replayed, for the clone lacks objects of it: {oid[:12]}" for oid in document["absent"]]
    return "\n".join(lines)


_RATES = (
    "recall",
    "recall_by_plain_trees",
    "recall_of_additions_and_deletions",
    "false_alarms_on_formatting_and_renaming",
    "false_alarms_without_schema_content",
)


def as_markdown(documents: Sequence[Document]) -> str:
    """Given documents, return the table of them all and what they disagree on, by name."""
    lines = [
        "| history | commits | add | delete | change | recall | by plain trees | seen as notice only "
        "| formatting, renames | false alarms | no schema content (in watched files) | false alarms "
        "| not scored | ms a commit |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [_row(one) for one in [*documents, *([summed(documents)] if len(documents) > 1 else [])]]
    for document in documents:
        listed = [f"- {one}" for one in _together(document["disagreements"])]
        if listed:
            lines += ["", f"### {document['history']}", "", *listed]
    return "\n".join(lines)


def _together(disagreements: Sequence[Document]) -> list[str]:
    """What many commits say of one file in the same words is said once."""
    commits: dict[str, list[str]] = {}
    for one in disagreements:
        commits.setdefault(_named({**one, "commit": ""}).replace(" ``", ""), []).append(f"`{one['commit'][:12]}`")
    return [f"{said}: {', '.join(found)}" for said, found in commits.items()]


def _row(document: Document) -> str:
    cells = document["by_label"]
    counts = {label: cells[label]["commits"] for label in Label}
    taste = counts[Label.FORMATTED] + counts[Label.RENAMED]
    shown = [
        document["history"],
        document["commits"],
        *(_seen(cells[label]) for label in (Label.ADDED, Label.DELETED, Label.CHANGED)),
        _percent(document["recall"]),
        _percent(document["recall_by_plain_trees"]),
        document["noticed"],
        taste,
        _percent(document["false_alarms_on_formatting_and_renaming"]),
        f"{counts[Label.NONE]} ({document['watched_without_content']})",
        _percent(document["false_alarms_without_schema_content"]),
        counts[Label.OTHER] + counts[Label.UNREADABLE],
        f"{1000 * document['engine_seconds'] / max(document['commits'], 1):.1f}",
    ]
    return "| " + " | ".join(map(str, shown)) + " |"


def _seen(cell: dict[str, int]) -> str:
    return f"{cell['agree']} of {cell['commits']}" if cell["commits"] else "-"


def _wrong(label: Label, cell: dict[str, int]) -> str:
    wrong = cell["commits"] - cell["agree"]
    return f"{wrong} missed" if label.schema else f"{wrong} false alarms" if label.silent else ""


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"


def _named(one: Document) -> str:
    rules = f" [{', '.join(one['rules'])}]" if one["rules"] else ""
    return f"{one['what']}: `{one['commit'][:12]}` `{one['path']}` ({one['label']}: {one['how']}){rules}"


def main() -> int:
    """Print the Markdown of the documents named on the command line, or put it into a page between its marks."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.replay.pages", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("documents", nargs="+", type=Path, metavar="FILE.json")
    parser.add_argument("--into", type=Path, metavar="PAGE.md", help="write it there instead of printing it")
    options = parser.parse_args()
    text = as_markdown([json.loads(path.read_text()) for path in options.documents])
    if options.into:
        before, _, rest = options.into.read_text().partition(BEGIN)
        options.into.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
