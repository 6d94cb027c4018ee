"""Every way to push, with real git and through each way to install the hooks: held, or silent?"""

from __future__ import annotations

import pytest

from tests.matrix.conftest import Guarded, Situation

# The frameworks hand on one ref, and not at all what only takes something away: they look at all that the remote lacks.
WAYS = [
    Situation("a migration", "sql 2; slip", "git push -q origin main", "held"),
    Situation("nothing watched", "words x; slip", "git push -q origin main", "silent"),
    Situation("nothing at all", "", "git push -q origin main", "silent"),
    Situation("made and undone", "sql 2; slip; git rm -q migrations/2.sql; slip", "git push -q origin main", "silent"),
    Situation("a new branch", "quiet switch -qc side; sql 2; slip", "git push -q origin side", "held"),
    Situation("the second of several refs", "words x; slip; on side 'sql 2'", "git push -q origin main side", "held"),
    Situation("a deletion", "quiet push -q origin main:doomed", "git push -q origin :doomed", "silent"),
    Situation(
        "a deletion and a migration",
        "quiet push -q origin main:doomed; sql 2; slip",
        "git push -q origin :doomed main",
        "held",
    ),
    Situation("a tag", "sql 2; slip; git tag v1; quiet reset -q --hard HEAD~1", "git push -q origin v1", "held"),
    Situation(
        "an older commit by its name", "sql 2; slip; words x; slip", "git push -q origin HEAD~1:refs/heads/x", "held"
    ),
    Situation(
        "an older commit before the migration",
        "words x; slip; sql 2; slip",
        "git push -q origin HEAD~1:refs/heads/x",
        "silent",
        pre_commit="held",
        prek="held",
    ),
    Situation(
        "a rewind",
        "sql 2; slip; quiet push -q; quiet reset -q --hard HEAD~1",
        "git push -qf origin main",
        "held",
        prek="silent",
    ),
    Situation(
        "a rewind of the second ref",
        "sql 2; slip; quiet push -q origin HEAD:side; quiet reset -q --hard HEAD~1; words x; slip",
        "git push -qf origin main HEAD~1:side",
        "held",
        pre_commit="silent",
        prek="silent",
    ),
    Situation(
        "over what is not here",
        "theirs 'sql 7'; words x; slip",
        "git push -qf origin main",
        "held",
        pre_commit="silent",
        prek="silent",
    ),
    Situation("into an empty remote", "bare empty", "git push -q empty main", "held"),
    Situation(
        "--mirror",
        "git branch side; sql 2; git add -A; quiet commit -qm x; git init -q --bare ../empty.git",
        "git push -q --mirror ../empty.git",
        "held",
    ),
    Situation("by path", "sql 2; slip", "git push -q ../remote.git main", "held"),
]

MORE = [
    Situation("an annotated tag", "sql 2; slip; git tag -am x v1", "git push -q origin v1", "held"),
    Situation("a tag on a tag", "sql 2; slip; git tag -am x v1; git tag -am x v2 v1", "git push -q origin v2", "held"),
    Situation(
        "a tag on a blob", "sql 2; slip; git tag blob HEAD:migrations/2.sql", "git push -q origin blob", "silent"
    ),
    Situation("a tag on a tree", "git tag tree HEAD^{tree}", "git push -q origin tree", "held"),
    Situation(
        "tags on old commits",
        "words x; slip; quiet push -q; git tag a HEAD~1; git tag -am x b HEAD~1",
        "git push -q --tags",
        "silent",
    ),
    Situation(
        "a moved tag",
        "git tag v1; quiet push -q origin v1; sql 2; slip; git tag -f v1 >/dev/null",
        "git push -qf origin v1",
        "held",
    ),
    Situation(
        "a detached HEAD", "git checkout -q --detach; sql 2; slip", "git push -q origin HEAD:refs/heads/x", "held"
    ),
    Situation(
        "an odd name",
        "quiet switch -qc \"ü@{-_-\" 2>/dev/null || quiet switch -qc 'ü/it;$x'; sql 2; slip",
        "git push -q origin HEAD",
        "held",
    ),
    Situation("--all", "words x; slip; on side 'sql 2'", "git push -q --all origin", "held"),
    Situation(
        "push.default matching",
        "quiet push -q origin main:side; git branch -q side; quiet switch -q side; sql 2; "
        "slip; quiet switch -q main; git config push.default matching",
        "git push -q origin",
        "held",
    ),
    Situation(
        "push.default upstream",
        "quiet switch -qc side -t origin/main 2>&1; sql 2; slip; git config push.default upstream",
        "git push -q",
        "held",
    ),
    Situation(
        "push.default nothing",
        "sql 2; slip; git config push.default nothing; git config remote.origin.push refs/heads/main:refs/heads/y",
        "git push -q",
        "held",
    ),
    Situation(
        "a rebased branch",
        "on side 'sql 2'; quiet push -q origin side; words x; slip; quiet push -q; quiet rebase -q main side",
        "git push -qf origin side",
        "held",
    ),
    Situation(
        "a rebased branch without a migration",
        "on side 'words x'; quiet push -q origin side; sql 2; slip; quiet push -q; quiet rebase -q main side",
        "git push -qf origin side",
        "silent",
    ),
    Situation(
        "a rewritten history",
        "git checkout -q --orphan new; quiet commit -qm x",
        "git push -qf origin new:main",
        "held",
    ),
    Situation(
        "a merge of what the remote has",
        "on a 'words x'; quiet push -q origin a; echo x > other; slip; quiet push -q; quiet merge -q a -m x",
        "git push -q origin main",
        "silent",
    ),
    Situation(
        "over what is not here, as git refuses it",
        "theirs 'sql 7'; words x; slip",
        "git push -q origin main",
        "held",
    ),
    Situation(
        "over what was fetched", "theirs 'sql 7'; git fetch -q; words x; slip", "git push -qf origin main", "held"
    ),
    Situation(
        "by URL, known as a remote",
        "words x; slip",
        'git push -q "file://$(realpath ../remote.git)" main:refs/heads/new',
        "silent",
    ),
    Situation(
        "by URL, as pushurl has it",
        'git config remote.origin.pushurl "$(realpath ../remote.git)"; '
        "git config remote.origin.url nowhere:x; words x; slip",
        'git push -q "$(realpath ../remote.git)" main:refs/heads/new',
        "silent",
    ),
    Situation(
        "by URL, as insteadOf has it",
        'git config url."$PWD/../".insteadOf there:; git config remote.origin.url there:remote.git; words x; slip',
        "git push -q there:remote.git main:refs/heads/new",
        "silent",
    ),
    Situation(
        "by URL, as pushInsteadOf has it",
        'git config url."$PWD/../".pushInsteadOf there:; git config remote.origin.url there:remote.git; words x; slip',
        "git push -q origin main:refs/heads/new",
        "silent",
    ),
    Situation("by URL, to a stranger", "git init -q --bare ../empty.git", "git push -q ../empty.git main", "held"),
    Situation(
        "to a remote that has less than another",
        "git clone -q --bare . ../less.git; git remote add less ../less.git; "
        "git fetch -q less; sql 2; slip; quiet push -q origin main",
        "git push -q less main",
        "held",
    ),
    Situation(
        "a remote whose name begins like another's",
        "git clone -q --bare . ../less.git; sql 2; slip; quiet push -q; git remote add o ../less.git; "
        "git remote add o/x ../remote.git; git fetch -q o/x",
        "git push -q o main:refs/heads/new",
        "held",
    ),
    Situation(
        "an object replaced by another",
        "sql 2; slip; git replace HEAD:migrations/2.sql $(echo '-- x' | git hash-object -w --stdin)",
        "git push -q origin main",
        "held",
    ),
]


@pytest.mark.parametrize("situation", WAYS, ids=lambda row: row.name)
def test_ways(guarded: Guarded, situation: Situation) -> None:
    assert guarded.verdict(situation) == situation.expected(guarded.style)


@pytest.mark.parametrize("situation", MORE, ids=lambda row: row.name)
@pytest.mark.parametrize("style", ["native"], indirect=True)
def test_more(guarded: Guarded, situation: Situation) -> None:
    assert guarded.verdict(situation) == situation.expected(guarded.style)
