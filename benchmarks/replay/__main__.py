"""Replay a real history through ics-guard's own engine, commit by commit, and score it.

`python -m benchmarks.replay CLONE --where FILE.toml` (or `--watch KIND=PATTERN`, or `--auto`). The clone is only read.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from benchmarks.replay.history import borrowed
from benchmarks.replay.pages import as_document, as_markdown, as_text
from benchmarks.replay.places import DOWN, ENGINES, KINDS, Places, SqlGroup, discovered, from_file, from_patterns
from benchmarks.replay.run import replay


def main(arguments: list[str] | None = None) -> int:
    """Print the score; exit 1 where a target of docs/detection-measured.md is missed."""
    options = _options(arguments)
    with ExitStack() as stack:
        folder = stack.enter_context(borrowed(options.clone, checkout=options.auto))
        places = _places(options, folder)
        said = sys.stderr.write if options.progress else None
        result = replay(
            folder,
            places,
            name=options.name or options.clone.resolve().name,
            revision=options.revision,
            first_parent=options.first_parent,
            most=options.most,
            touching=options.touching,
            progress=said,
        )
    if options.json:
        print(json.dumps(as_document(result), indent=1))
    else:
        print(as_markdown([as_document(result)]) if options.markdown else as_text(as_document(result)))
    return 0 if as_document(result)["targets_met"] else 1


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clone", type=Path, help="a clone of the history, bare or not; it is only read")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--where", type=Path, metavar="FILE.toml", help="[watch] as in ics-guard.toml, and [[sql]]")
    where.add_argument("--watch", action="append", metavar="KIND=PATTERN", help=f"KIND is one of {', '.join(KINDS)}")
    where.add_argument("--auto", action="store_true", help="what `ics-guard init` would propose for the newest commit")
    parser.add_argument(
        "--engine", choices=ENGINES, default="text", help="what SQL files are applied to, without --where"
    )
    parser.add_argument("--revision", default="HEAD", help="whose history (default: %(default)s)")
    parser.add_argument("--first-parent", action="store_true", help="the main line only: merges, not what they merge")
    parser.add_argument("--most", type=int, default=0, metavar="N", help="the newest N commits only")
    parser.add_argument("--touching", action="store_true", help="only what touches a watched file: quick, and no score")
    parser.add_argument("--name", default="", help="how the history is called in the tables")
    parser.add_argument("--progress", action="store_true", help="say on stderr how far it is")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--markdown", action="store_true")
    return parser.parse_args(arguments)


def _places(options: argparse.Namespace, folder: Path) -> Places:
    if options.where:
        return from_file(folder, options.where)
    if options.auto:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=folder, check=True, capture_output=True).stdout
        return discovered(folder, listed.decode("utf-8", "surrogateescape").split("\0")[:-1], options.engine)
    watch: dict[str, list[str]] = {}
    for one in options.watch:
        kind, _, pattern = one.partition("=")
        watch.setdefault(kind, []).append(pattern)
    groups = [SqlGroup((pattern,), options.engine, DOWN) for pattern in watch.get("sql", [])]
    return from_patterns(folder, watch, groups)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that scratch and servers go, however it ends
    sys.exit(main())
