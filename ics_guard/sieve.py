"""The hot path: "surely nothing to do?", answered by git alone. Imports os only, for every import costs a commit time.

It may only ever say "surely nothing". The patterns are compiled into git pathspecs that match at least as much, kept
in one file beside the contents of the files that decided them; it counts only while those contents are the same.
`hooks/shim.sh` reads the same file.

Content may also be where git has none: in submodules and behind links to folders. Such a thing is asked for by the name
that a pattern gives it. Where a pattern allows any name below one that it gives, the submodules that the repository has
are asked for one by one, and `.gitmodules` is one of the files that decide; only one added without it is left to the
push.
"""

from __future__ import annotations

import os

FILE = "ics-guard/sieve"
"""Where the compiled sieve is, relative to the common git directory."""

SUBMODULES = ".gitmodules"
EVERYTHING = ":/"
_FIRST_LINE = "ics-guard sieve 1"
_MISLEADING = ("GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS")
_FIXED = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
_QUIETLY = ("--quiet", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none")


def surely_nothing(hook: str, arguments: list[str]) -> bool:
    """Given a hook and its arguments, in the root of a work tree, return whether git proves it has nothing to look at.

    False means "look", never "something": also when the sieve is missing or outdated, or anything is in doubt.
    """
    if hook == "framework-incoming":
        hook, arguments = _told_by_framework()
    if (hook == "post-checkout" and _is_no_move(*arguments)) or (hook, arguments) == ("post-rewrite", ["amend"]):
        return True
    question = _question(hook, arguments)
    if not question:
        return False
    try:
        watched = _watched(os.path.join(_common_dir(), FILE))  # noqa: PTH118 - pathlib is not affordable here
        return bool(watched) and _git_sees_nothing([*question, "--", *watched])
    except (OSError, ValueError):
        return False


def pathspecs(patterns: tuple[str, ...]) -> list[str]:
    """Given gitignore-style patterns, return git pathspecs that match at least the paths that these match."""
    found: list[str] = []
    for pattern in patterns:
        if pattern and pattern[0] not in "!#":
            found += _translated(pattern)
    return [EVERYTHING] if EVERYTHING in found else list(dict.fromkeys(found))


def compiled(
    patterns: tuple[str, ...], inputs: tuple[str, ...], root: str, paths: tuple[str, ...] = ()
) -> bytes | None:
    """Given patterns and the files that decided them, relative to `root`, return the sieve as it is kept in a file.

    `paths` are asked for by name: submodules in which something watched may be, and the like. None if a path cannot
    be written in it. An input that is absent must stay absent. Raise OSError for one that cannot be read.
    """
    if not inputs or any("\n" in name for name in (*inputs, *paths)):
        return None
    lines, contents, deciding = [_FIRST_LINE], [], (*inputs, SUBMODULES)
    for name in deciding:
        path = os.path.join(root, name)  # noqa: PTH118
        if os.path.exists(path):  # noqa: PTH110
            lines.append(f"input {name}")
            contents.append(_read(path))
        else:
            lines.append(f"absent {name}")
    if not contents:
        return None
    lines += [f"watch :(top,literal){name}" for name in (*deciding, *paths)]
    lines += [f"watch {one}" for one in pathspecs(patterns)]
    return os.fsencode("\n".join(lines) + "\n\n") + b"".join(contents)


def _is_no_move(old: str = "", new: str = "", is_branch: str = "") -> bool:
    """Files taken from a commit, a new branch on the same one, a new clone or worktree: no commit came in."""
    return is_branch == "0" or (is_branch == "1" and (old == new or not old.strip("0")))


def _question(hook: str, arguments: list[str]) -> list[str]:
    """What to ask git, in front of the pathspecs; nothing where only a closer look can tell."""
    if hook in ("pre-commit", "pre-merge-commit") or (hook == "framework" and _is_framework_commit()):
        return ["diff-index", "--cached", *_QUIETLY, "HEAD"]
    if hook == "post-checkout" and len(arguments) == 3:
        return ["diff-tree", "-r", *_QUIETLY, arguments[0], arguments[1]]
    if hook == "post-merge" and arguments == ["0"]:  # a squash leaves its work in the index
        return ["diff-tree", "-r", *_QUIETLY, "HEAD@{1}", "HEAD"]
    return []


def _told_by_framework() -> tuple[str, list[str]]:
    """The git hook with its arguments, as far as this has an answer to it; `git.framework_stage` knows the rest."""
    told = {name: os.environ.get(f"PRE_COMMIT_{name}", "") for name in ("FROM_REF", "TO_REF", "CHECKOUT_TYPE")}
    if told["CHECKOUT_TYPE"]:
        return "post-checkout", list(told.values())
    if os.environ.get("PRE_COMMIT_IS_SQUASH_MERGE") == "0":
        return "post-merge", ["0"]
    return "post-rewrite", [os.environ.get("PRE_COMMIT_REWRITE_COMMAND", "")]


def _is_framework_commit() -> bool:
    told = ("TO_REF", "REMOTE_NAME", "LOCAL_BRANCH", "CHECKOUT_TYPE", "IS_SQUASH_MERGE", "REWRITE_COMMAND")
    if os.environ.get("PREK_HOOK_STAGE", "pre-commit") not in ("pre-commit", "pre-merge-commit"):
        return False
    return "PRE_COMMIT" in os.environ and not any(f"PRE_COMMIT_{name}" in os.environ for name in told)


def _common_dir() -> str:
    folder = os.environ.get("GIT_DIR") or ".git"
    if os.path.isfile(folder):  # noqa: PTH113
        folder = os.fsdecode(_read(folder)).removeprefix("gitdir: ").rstrip("\n")
    pointer = os.path.join(folder, "commondir")  # noqa: PTH118
    if os.path.isfile(pointer):  # noqa: PTH113
        folder = os.path.join(folder, os.fsdecode(_read(pointer)).rstrip("\n"))  # noqa: PTH118
    return folder


def _watched(sieve: str) -> list[str]:
    """The pathspecs of a sieve file, none if it was compiled from other inputs than those in the current folder."""
    header, _, contents = _read(sieve).partition(b"\n\n")
    first, *lines = os.fsdecode(header).split("\n")
    named = [line.partition(" ") for line in lines]
    if first != _FIRST_LINE or any(os.path.exists(name) for word, _, name in named if word == "absent"):  # noqa: PTH110
        return []
    if b"".join(_read(name) for word, _, name in named if word == "input") != contents:
        return []
    return [name for word, _, name in named if word == "watch"]


def _git_sees_nothing(arguments: list[str]) -> bool:
    environment = {name: value for name, value in os.environ.items() if name not in _MISLEADING} | _FIXED
    silence = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    process = os.posix_spawnp("git", ["git", *arguments], environment, file_actions=silence)
    return os.waitpid(process, 0)[1] == 0


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:  # noqa: PTH123
        return stream.read()


def _translated(pattern: str) -> list[str]:
    if pattern != pattern.strip() or not pattern.isprintable():
        return [EVERYTHING]
    body = pattern.removesuffix("/")
    parts: list[str] = []
    written = body.removeprefix("/").split("/")
    for part in written:
        parts.append(_translated_part(part))
        if parts[-1] == "**" != part:
            break  # not understood: whatever is below what was
    if "/" not in body and parts[0] != "**":
        parts.insert(0, "**")
        written.insert(0, "**")
    if parts == ["**"] or "" in parts:
        return [EVERYTHING]
    glob = f":(top,glob){'/'.join(parts)}"
    folders = len(parts) if pattern.endswith("/") else len(parts) - 1
    above = [_folder_itself(parts[:depth]) for depth in range(1, folders + 1) if written[depth - 1].strip("*")]
    if parts[-1] == "**":
        return [glob, *above]
    return [f"{glob}/**", *above] if pattern.endswith("/") else [glob, f"{glob}/**", *above]


def _folder_itself(parts: list[str]) -> str:
    """What matches a link or submodule in the place of a folder, and nothing in the folder: a glob, nothing literal."""
    last = parts[-1]
    at = next((n for n, c in enumerate(last) if c.isascii() and c.isalnum() and last[n - 1 : n] != "\\"), None)
    exact = f"{last}*" if at is None else f"{last[:at]}[{last[at]}]{last[at + 1 :]}"
    return f":(top,glob){'/'.join((*parts[:-1], exact))}"


def _translated_part(part: str) -> str:
    """One component; `**` for anything on which readers of gitignore patterns disagree."""
    if part in (".", "..") or "[" in part or ("**" in part and part != "**"):
        return "**"
    out, characters = "", iter(part)
    for character in characters:
        if character == "\\":
            escaped = next(characters, "")
            if not escaped:
                return "**"
            out += f"\\{escaped}" if escaped in "*?[\\" else escaped
        elif character == "?":
            out += "*"  # git's `?` is one byte, not one character
        elif character == "_":
            out += "?"  # a line break in a name is matched as if it were `_`
        else:
            out += character
    return out
