"""The way in: hooks go through the sieve first, everything else to the CLI; here errors become exit codes."""

from __future__ import annotations

import os
import sys

_INTERRUPTED = 130


def main() -> int:
    """Run the command line of this process and return its exit code, as the contract lists them."""
    code = _run()
    incoming = sys.argv[1:2] == ["hook"] and "".join(sys.argv[2:3]).startswith(("post-", "framework-incoming"))
    return 0 if incoming else code  # the git command is over, and would seem to have failed; what went wrong is said


def _run() -> int:
    arguments = sys.argv[1:]
    if arguments[:1] == ["hook"] and len(arguments) > 1:
        from ics_guard.sieve import surely_nothing  # noqa: PLC0415 - the hot path imports nothing else

        if surely_nothing(arguments[1], arguments[2:]):
            return 0
    try:
        from ics_guard.cli import run  # noqa: PLC0415 - cold from here on

        code = run(arguments)
        return _interrupted() if code == _INTERRUPTED else code  # Typer turns ^C into this exit code
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        from ics_guard.errors import IcsGuardError  # noqa: PLC0415

        if isinstance(error, IcsGuardError):
            return _say(error.code, error.message, error.fix, error.exit_code)
        if type(error).__name__ == "Abort":  # what Typer makes of an end of input at a question
            return _interrupted()
        show = getattr(error, "show", None)
        if show and hasattr(error, "format_message"):  # what Typer raises for a command line it cannot read
            if "--json" in arguments:
                return _say("usage", error.format_message(), "ics-guard --help", 2)
            show()
            return int(getattr(error, "exit_code", 2))
        return _our_bug(error)


def _interrupted() -> int:
    return _say("interrupted", "interrupted; nothing is half done", "run the same command again", _INTERRUPTED)


def _say(code: str, message: str, fix: str, exit_code: int) -> int:
    if _wants_json(sys.argv[1:]):
        import json  # noqa: PLC0415 - cold path

        document = {"schema_version": 1, "error": {"code": code, "message": message, "fix": fix}}
        sys.stdout.write(json.dumps(document) + "\n")
    else:
        mend = f"\n  do: {fix}" if fix else ""
        sys.stderr.write(f"ics-guard: {_printable(message, on_one_line=True)}{_printable(mend)}\n")
    return exit_code


def _wants_json(arguments: list[str]) -> bool:
    """Whether a command line asks for JSON, told without a parser: it may be what the parser could not read."""
    import itertools  # noqa: PLC0415 - cold path

    pairs = itertools.pairwise(arguments)
    return "--json" in arguments or "--format=json" in arguments or ("--format", "json") in pairs


def _printable(text: str, *, on_one_line: bool = False) -> str:
    """File names can hold anything: no control character reaches the terminal, the line end only where we write it."""
    kept = "" if on_one_line else "\n"
    return "".join(
        c if c.isprintable() or c in kept else c.encode("unicode_escape", "backslashreplace").decode() for c in text
    )


def _our_bug(error: Exception) -> int:
    import tempfile  # noqa: PLC0415 - cold path
    import traceback  # noqa: PLC0415

    told = "".join(traceback.format_exception(error)).encode("utf-8", "backslashreplace").decode()
    try:
        with tempfile.NamedTemporaryFile("w", prefix="ics-guard-", suffix=".log", delete=False) as log:
            log.write(told)
        fix = f"please report it with {log.name}"
    except OSError:  # a full disk may be what went wrong
        fix = f"please report it with this:\n{told}"
    return _say("bug", f"this is a bug in ics-guard ({type(error).__name__}); nothing passed because of it", fix, 70)


if __name__ == "__main__":
    sys.exit(main())
