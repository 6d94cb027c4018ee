"""Every way to a commit, with real git and through each way to install the hooks: held, or silent?"""

from __future__ import annotations

import shlex
import sys
import time

import pytest

from tests.matrix.conftest import Guarded, Situation

# What the hooks see of a commit: the same code reads it whoever calls, so that all three styles are tried.
WAYS = [
    Situation("commit", "sql 2; git add -A", "git commit -qm x", "held"),
    Situation("nothing watched", "words more; git add -A", "git commit -qm x", "silent"),
    Situation("commit -a", "drop 1", "git commit -qam x", "held"),
    Situation("--only the migration", "sql 2; words x; git add -A", "git commit -qm x --only migrations/2.sql", "held"),
    Situation("--only something else", "sql 2; words x; git add -A", "git commit -qm x --only README", "silent"),
    Situation("--amend", "words x; slip; sql 2; git add -A", "git commit -q --amend --no-edit", "held"),
    Situation("--amend the message", "sql 2; slip", "git commit -q --amend -m other", "silent"),
    Situation("a deleted migration", "git rm -q migrations/1.sql", "git commit -qm x", "held"),
    Situation("--no-verify", "sql 2; git add -A", "git commit -qnm x", "silent"),
    Situation("the first commit", "git checkout -q --orphan fresh", "git commit -qm x", "held"),
    Situation(
        "in a linked worktree",
        "quiet worktree add -q ../linked; cd ../linked; sql 2; git add -A",
        "cd ../linked; git commit -qm x",
        "held",
    ),
    Situation("a clean merge", "git branch side; words x; slip; on side 'sql 2'", "git merge -q side -m x", "held"),
    Situation(
        "a conflicted merge",
        "git branch side; sql 2; slip; quiet switch -q side; sql 2; echo '-- x' >> migrations/2.sql; "
        "sql 3; slip; quiet switch -q main; quiet merge side || sql 2; git add -A",
        "git commit -qm x",
        "held",
    ),
    Situation("cherry-pick", "on side 'sql 2'", "git cherry-pick side", "silent"),
    Situation(
        "rebase -i, edit, amend",
        "words x; slip; GIT_SEQUENCE_EDITOR='sed -i 1s/pick/edit/' quiet rebase -q -i HEAD~1; sql 2; git add -A",
        "git commit -q --amend --no-edit",
        "held",
    ),
]

# What a commit may hold: read by git alone, whoever asks.
CONTENTS = [
    Situation("commit -p, taken", "drop 1", "echo y | git commit -q -p -m x", "held"),
    Situation("commit -p, left", "words x; drop 1", "printf 'y\\nn\\n' | git commit -q -p -m x", "silent"),
    Situation("--include", "sql 2; git add -A; words x", "git commit -qm x --include README", "held"),
    Situation(
        "commit over a merge in progress",
        "git branch side; words x; slip; on side 'sql 2'; quiet merge --no-commit -q side",
        "git commit -qm x",
        "held",
    ),
    Situation(
        "an octopus",
        "git branch a; git branch b; words x; slip; on a 'sql 2'; on b 'sql 3'",
        "git merge -q a b -m x",
        "held",
    ),
    Situation("a squashed merge", "on side 'sql 2'; quiet merge -q --squash side", "git commit -qm x", "held"),
    Situation(
        "a merge that brings nothing watched",
        "git branch side; words x; slip; on side 'echo x > other'",
        "git merge -q side -m x",
        "silent",
    ),
    Situation("revert", "sql 2; slip", "git revert --no-edit HEAD", "silent"),
    Situation("revert, committed by hand", "sql 2; slip; git revert -n HEAD", "git commit -qm x", "held"),
    Situation(
        "am",
        "sql 2; slip; git format-patch -q -1 --stdout > ../patch; quiet reset -q --hard HEAD~1",
        "git am -q ../patch",
        "silent",
    ),
    Situation("stash pop", "sql 2; git add -A; git stash -q", "git stash pop -q", "silent"),
    Situation(
        "stash pop, committed", "sql 2; git add -A; git stash -q; git stash pop -q --index", "git commit -qm x", "held"
    ),
    Situation("moved inside", "git mv migrations/1.sql migrations/9.sql", "git commit -qm x", "silent"),
    Situation(
        "moved and edited", "git mv migrations/1.sql migrations/9.sql; drop 9; git add -A", "git commit -qm x", "held"
    ),
    Situation("moved out of what is watched", "git mv migrations/1.sql notes.sql", "git commit -qm x", "held"),
    Situation(
        "moved into what is watched",
        "sql 2; mv migrations/2.sql notes.sql; slip; git mv notes.sql migrations/2.sql",
        "git commit -qm x",
        "held",
    ),
    Situation("copied", "cp migrations/1.sql migrations/2.sql; drop 2; git add -A", "git commit -qm x", "held"),
    Situation("only the case of a name", "git mv migrations/1.sql migrations/1.SQL", "git commit -qm x", "held"),
    Situation("only the mode", "git update-index --chmod=+x migrations/1.sql", "git commit -qm x", "silent"),
    Situation(
        "only line ends",
        "printf 'CREATE TABLE t1 (id INTEGER PRIMARY KEY);\\r\\n' > migrations/1.sql; git add -A",
        "git commit -qm x",
        "silent",
    ),
    Situation(
        "line ends that git converts",
        "git config core.autocrlf true; "
        "printf 'CREATE TABLE t1 (id INTEGER PRIMARY KEY);\\r\\nDROP TABLE t1;\\r\\n' > migrations/1.sql; git add -A",
        "git commit -qm x",
        "held",
    ),
    Situation(
        "a file becomes a link",
        "mv migrations/1.sql kept; ln -s ../kept migrations/1.sql; git add -A",
        "git commit -qm x",
        "held",
    ),
    Situation("a link among migrations", "ln -s ../README migrations/2.sql; git add -A", "git commit -qm x", "held"),
    Situation("a link elsewhere", "ln -s README notes; git add -A", "git commit -qm x", "silent"),
    Situation(
        "the folder becomes a link",
        "git mv migrations kept; ln -s kept migrations; git add -A",
        "git commit -qm x",
        "held",
    ),
    Situation(
        "a link in the place of the folder",
        "git rm -rq migrations; slip; ln -s .. migrations; git add -A",
        "git commit -qm x",
        "held",
    ),
    Situation(
        "a submodule in the place of the folder",
        "git rm -rq migrations; slip; module migrations",
        "git commit -qm x",
        "held",
    ),
    Situation(
        "such a submodule moves on",
        "git rm -rq migrations; slip; module migrations; slip; "
        "git -C migrations commit -q --allow-empty -m x; git add -A",
        "git commit -qm x",
        "held",
    ),
    Situation(
        "such a submodule goes",
        "git rm -rq migrations; slip; module migrations; slip; git rm -q migrations",
        "git commit -qm x",
        "held",
    ),
    Situation(
        "a submodule that no pattern reaches",
        "module libs/x; slip; git -C libs/x commit -q --allow-empty -m x; git add -A",
        "git commit -qm x",
        "silent",
    ),
    Situation(
        "a Git LFS pointer",
        "printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%064d\\nsize 9\\n' 1 > migrations/2.sql; "
        "git add -A",
        "git commit -qm x",
        "held",
    ),
    Situation(
        "a filter decides what is committed, and another one may what is checked out",
        "git config filter.hide.clean \"sed 's/^/-- /'\"; "
        "echo 'migrations/2.sql filter=hide' > .gitattributes; sql 2; git add -A",
        "git commit -qm x",
        "held",
    ),
    Situation(
        "textconv and external diffs",
        "git config diff.none.textconv true; git config diff.none.command true; git config diff.external true; "
        "echo '*.sql diff=none -diff' > .gitattributes; sql 2; git add -A",
        "git commit -qm x",
        "held",
    ),
    Situation(
        "working-tree-encoding",
        "echo '*.sql working-tree-encoding=UTF-16LE' > .gitattributes; slip; "
        "printf 'D\\0R\\0O\\0P\\0 \\0T\\0A\\0B\\0L\\0E\\0 \\0t\\0;\\0' > migrations/2.sql; git add -A",
        "git commit -qm x",
        "held",
    ),
    Situation(
        "a name that is no UTF-8",
        "echo 'DROP TABLE t1;' > \"migrations/$(printf 'caf\\351').sql\"; git add -A",
        "git commit -qm x",
        "held",
    ),
    Situation(
        "a name with a line break",
        "echo 'DROP TABLE t1;' > 'migrations/a\nb.sql'; git add -A",
        "git commit -qm x",
        "held",
    ),
    Situation(
        "intended to be added",
        "sql 2; git add -N migrations/2.sql; words x; git add README",
        "git commit -qm x",
        "silent",
    ),
    Situation(
        "assumed to be unchanged",
        "git update-index --assume-unchanged migrations/1.sql; sql 1; drop 1; words x",
        "git commit -qam x",
        "silent",
    ),
    Situation(
        "a sparse checkout",
        "git sparse-checkout set docs; git rm -q --sparse migrations/1.sql",
        "git commit -qm x",
        "held",
    ),
    Situation(
        "a sparse index",
        "git sparse-checkout set --sparse-index docs; mkdir -p docs; echo x > docs/a; git add docs",
        "git commit -qm x",
        "silent",
    ),
    Situation(
        "a monitor that says nothing changed",
        "printf '#!/bin/sh\\nprintf /' > .git/monitor; chmod +x .git/monitor; "
        "git config core.fsmonitor .git/monitor; sql 2; git -c core.fsmonitor= add -A",
        "git commit -qm x",
        "held",
    ),
    Situation(
        "GIT_INDEX_FILE",
        "cp .git/index .git/other; sql 2; GIT_INDEX_FILE=.git/other git add -A",
        "GIT_INDEX_FILE=$PWD/.git/other git commit -qm x",
        "held",
    ),
    Situation(
        "GIT_INDEX_FILE, the other way round",
        "cp .git/index .git/other; sql 2; git add -A; words x; GIT_INDEX_FILE=.git/other git add README",
        "GIT_INDEX_FILE=$PWD/.git/other git commit -qm x",
        "silent",
    ),
    Situation("GIT_LITERAL_PATHSPECS", "drop 1", "GIT_LITERAL_PATHSPECS=1 git commit -qam x", "held"),
    Situation("git -C", "sql 2; git add -A", 'here=$PWD; cd /; git -C "$here" commit -qm x', "held"),
    Situation(
        "--git-dir and --work-tree",
        "sql 2; git add -A",
        'here=$PWD; cd /; git --git-dir="$here/.git" --work-tree="$here" commit -qm x',
        "held",
    ),
    Situation("in a folder below", "sql 2; git add -A", "cd migrations; git commit -qm x", "held"),
    Situation(
        "an object replaced by another",
        "sql 2; git add -A; git replace $(git rev-parse :migrations/2.sql) $(echo '-- x' | git hash-object -w --stdin)",
        "git commit -qm x",
        "held",
    ),
]


@pytest.mark.parametrize("situation", WAYS, ids=lambda row: row.name)
def test_ways(guarded: Guarded, situation: Situation) -> None:
    assert guarded.verdict(situation) == situation.expected(guarded.style)


@pytest.mark.parametrize("situation", CONTENTS, ids=lambda row: row.name)
@pytest.mark.parametrize("style", ["native"], indirect=True)
def test_contents(guarded: Guarded, situation: Situation) -> None:
    assert guarded.verdict(situation) == situation.expected(guarded.style)


@pytest.mark.parametrize("style", ["native"], indirect=True)
def test_a_commit_inside_a_submodule_is_held_by_its_own_hooks(guarded: Guarded) -> None:
    """What is inside counts where it is committed; outside, no pattern reaches it."""
    guarded.sh("quiet clone -q . ../inner; mkdir ../outer; git init -q ../outer")
    guarded.sh("cd ../outer; git submodule add -q ../inner libs/inner 2>&1; slip")
    inside = f"{shlex.quote(sys.executable)} -P -m ics_guard install"
    guarded.sh(f"cp -r data ../outer/libs/inner; cd ../outer/libs/inner; {inside}")
    row = Situation("", "cd ../outer/libs/inner; sql 2; git add -A", "cd ../outer/libs/inner; git commit -qm x", "held")
    assert guarded.verdict(row) == "held"
    outside = Situation(
        "", "(cd ../outer/libs/inner; slip); cd ../outer; git add -A", "cd ../outer; git commit -qm x", ""
    )
    assert guarded.verdict(outside) == "silent"


@pytest.mark.parametrize("style", ["native"], indirect=True)
def test_a_repository_of_the_other_object_format(guarded: Guarded) -> None:
    guarded.sh(
        "rm -rf .git ../remote.git; git init -q --object-format=sha256; slip; "
        "git init -q --bare --object-format=sha256 ../remote.git"
    )
    guarded.sh(
        "git remote add origin ../remote.git; git push -q origin main; "
        f"{shlex.quote(sys.executable)} -P -m ics_guard install"
    )
    assert guarded.verdict(Situation("", "sql 2; git add -A", "git commit -qm x", "")) == "held"
    assert guarded.verdict(Situation("", "slip", "git push -q origin main", "")) == "held"
    assert guarded.verdict(Situation("", "quiet switch -q --detach HEAD~1", "git switch -q main", "")) == "told"
    assert guarded.verdict(Situation("", "words x; git add -A", "git commit -qm x", "")) == "silent"


@pytest.mark.parametrize("style", ["native"], indirect=True)
def test_ten_thousand_files_that_nobody_watches(guarded: Guarded) -> None:
    guarded.sh("mkdir many; cd many; seq 10000 | xargs touch; cd ..; git add -A")
    began = time.monotonic()
    assert guarded.verdict(Situation("", "", "git commit -qm x", "")) == "silent"
    assert time.monotonic() - began < 10
