"""What asks for less than before is a change, however it is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ics_guard import config
from ics_guard.config import patterns
from ics_guard.detect.rules import RULES
from tests.alembic_support import CONFIG as ALEMBIC_CONFIG
from tests.alembic_support import make_alembic_repository, write_revision
from tests.gate_support import DROP, REFUSE, REVISION, checked, codes, configure, judged, rules, stage
from tests.support import CONFIG, git, ics_guard, make_repository


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repo", config=REFUSE)


@pytest.mark.parametrize("committed", [False, True])
def test_a_loosening_is_a_risky_change_of_its_own(repository: Path, committed: bool) -> None:
    configure(repository, REFUSE.replace('"refuse"\n', '"refuse"\nrpo = "48h"\n'))
    options = ["--staged"]
    if committed:
        git(repository, "commit", "-qm", "looser", "--no-verify")
        options = ["--range", "HEAD^..HEAD"]
    code, document = judged(repository, *options)
    (change,) = document["changes"]
    assert (code, change["rule"], change["severity"], change["kind"]) == (1, "config.loosened", "risky", "config")
    assert (change["object"], change["path"], change["sources"]) == ("env.local.policy.rpo", "ics-guard.toml", ["db"])
    assert "rpo is 2d, it was 1d" in change["reason"]
    line = (repository / "ics-guard.toml").read_text().splitlines()[change["line"] - 1]
    assert line == "[env.local]" or line.startswith("rpo")
    assert ics_guard(repository, "check", *options, "--exit-code").returncode == 1
    assert ics_guard(repository, "backup").returncode == 0
    assert judged(repository, *options)[0] == 0


def test_a_stricter_or_rewritten_configuration_is_no_change(repository: Path) -> None:
    stricter = REFUSE.replace('"refuse"\n', '"refuse"\nrpo = "1h"\nwaivers = "refuse"\n')
    configure(repository, "# why\n" + stricter.replace("migrations/*.sql", "migrations/**/*.sql"))
    assert judged(repository) == (
        0,
        {"schema_version": 1, "verdict": "allow", "reasons": [], "changes": [], "backups": []},
    )


def test_moving_the_revisions_away_in_alembic_ini_is_seen(tmp_path: Path) -> None:
    project = make_alembic_repository(tmp_path / "repo", config=ALEMBIC_CONFIG)
    text = (project / "alembic.ini").read_text()
    (project / "elsewhere" / "versions").mkdir(parents=True)
    (project / "elsewhere" / "versions" / "keep").write_text("")
    (project / "alembic.ini").write_text(text.replace("/migrations", "/elsewhere"))
    assert text != (project / "alembic.ini").read_text()
    write_revision(project, "0003", "op.drop_table('segments')")
    git(project, "commit", "-qm", "moved", "--no-verify")
    _, document = judged(project, "--range", "HEAD^..HEAD", command="check")
    assert "config.loosened" in rules(document)
    _, document = judged(project, "--range", "HEAD^..HEAD")
    assert {"config.loosened"} <= set(rules(document))


SEVERITIES = {name: rule.severity for name, rule in RULES.items()}


def loosened(tmp_path: Path, before: str, after: str) -> list[str]:
    names = ("before", "after")
    for name in names:
        (tmp_path / name / "db" / "versions").mkdir(parents=True)
    loaded = []
    for name, text in zip(names, (before, after), strict=True):
        (tmp_path / name / "ics-guard.toml").write_text(text)
        loaded.append(config.load(tmp_path / name))
    before_config, after_config = loaded
    return [".".join(found.key) for found in config.loosenings(before_config, after_config, SEVERITIES)]


BASE = """\
version = 1
[watch]
alembic = ["db/versions"]
sql = ["db/*.sql", "deep/**/x?.sql"]
models = ["app/"]
[env.local]
mirror = "m"
[env.local.policy]
rpo = "24h"
require_backup = ["destructive", "risky"]
rules = { "sql.drop_index" = "risky" }
retention = { daily = 7 }
[env.local.sources.db]
path = "a.db"
guards = ["db/**"]
smoke = [{ sql = "SELECT 1" }]
[env.prod]
required = true
[env.prod.sources.db]
path = "p.db"
"""


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ("", "", []),
        ('"24h"', '"1440m"', []),
        ('"24h"', '"12h"', []),
        ('"24h"', '"25h"', ["env.local.policy.rpo"]),
        ('"risky"]', '"risky", "additive"]', []),
        ('"destructive", "risky"]', '"destructive"]', ["env.local.policy.require_backup"]),
        ('"db/*.sql"', '"db/**/*.sql"', []),
        ('"db/*.sql"', '"db/1*.sql"', ["watch.sql"]),
        ('"db/*.sql"', '"db/*.sql", "!db/9.sql"', ["watch.sql"]),
        ('alembic = ["db/versions"]', "", ["watch.alembic"]),
        ('alembic = ["db/versions"]', 'alembic = ["db"]', []),
        ('models = ["app/"]', 'models = ["/app/**"]', ["watch.models"]),
        ('models = ["app/"]', 'models = ["**/app/**"]', []),
        ('"deep/**/x?.sql"', '"deep/**/any/x?.sql"', ["watch.sql"]),
        ('"deep/**/x?.sql"', '"deep/"', []),
        ('"deep/**/x?.sql"', '"deep/*/x?.sql"', ["watch.sql"]),
        ('"deep/**/x?.sql"', '"**/x?.sql"', []),
        ('"deep/**/x?.sql"', '"*.sql"', []),
        ('"db/*.sql"', '"/db/*.sql"', []),
        ('"db/*.sql"', '"*.sql"', []),
        ('"db/*.sql"', '"db/*.py"', ["watch.sql"]),
        ('"db/*.sql", "deep/**/x?.sql"', '"*.sql", "!deep/**"', ["watch.sql"]),
        ("[watch]", '[watch]\ndjango = ["db/migrate*.sql"]', ["watch.sql"]),
        ("[watch]", '[watch]\ndjango = ["*/migrations/*.py"]', []),
        ("[watch]", '[watch]\nembedded = ["db/*"]', []),
        ('models = ["app/"]', 'exclude = ["db/1.sql"]', ["watch.models", "watch.exclude"]),
        ('"sql.drop_index" = "risky"', '"sql.drop_index" = "destructive"', []),
        ('"sql.drop_index" = "risky"', '"sql.drop_index" = "additive"', ["env.local.policy.rules.sql.drop_index"]),
        ('"sql.drop_index" = "risky"', "", []),
        ('"sql.drop_index" = "risky"', '"sql.create_table" = "destructive"', []),
        ("daily = 7", "daily = 6", ["env.local.policy.retention"]),
        ('mirror = "m"', "", ["env.local.mirror"]),
        ('guards = ["db/**"]', 'guards = ["db/**", "x/**"]', []),
        ('guards = ["db/**"]', 'guards = ["db/*"]', ["env.local.sources.db.guards"]),
        ('guards = ["db/**"]', 'guards = ["db/**", "!db/1"]', ["env.local.sources.db.guards"]),
        ('smoke = [{ sql = "SELECT 1" }]', "", ["env.local.sources.db.smoke"]),
        ('smoke = [{ sql = "SELECT 1" }]', "gate = false", ["env.local.sources.db.gate", "env.local.sources.db.smoke"]),
        ('path = "a.db"', 'path = "b.db"', ["env.local.sources.db.path"]),
        ('path = "a.db"', 'path = "a.db"\nunchecked = ["t"]', ["env.local.sources.db.unchecked"]),
        ('sources.db]\npath = "a.db"', 'sources.other]\npath = "a.db"', ["env.local.sources.db"]),
        ("required = true", "", ["env.prod.required"]),
        ("required = true", 'required = true\npolicy = { on_missing = "create" }', ["env.prod.policy.on_missing"]),
        ("required = true", "required = true\npolicy = { current = false }", ["env.prod.policy.current"]),
        ("required = true", 'required = true\npolicy = { on_incoming = "off" }', ["env.prod.policy.on_incoming"]),
        ('[env.prod]\nrequired = true\n[env.prod.sources.db]\npath = "p.db"\n', "", ["env.prod"]),
    ],
)
def test_what_is_a_loosening_and_what_is_not(tmp_path: Path, old: str, new: str, keys: list[str]) -> None:
    assert old in BASE
    assert loosened(tmp_path, BASE, BASE.replace(old, new, 1)) == keys


def test_no_policy_speaks_for_its_own_loosening(tmp_path: Path) -> None:
    """Each of these, in the very change that it is to let through, and where the data cannot be seen."""
    base = CONFIG + "[policy]\n"
    repository = make_repository(tmp_path / "repo", config=base, rows=0)
    (repository / "migrations" / "0002.sql").write_text(DROP)
    for more in (
        "require_backup = []\n",
        'require_backup = ["additive"]\n',
        'rules = { "config.loosened" = "notice", "sql.drop_table" = "notice" }\n',
    ):
        configure(repository, base + more)
        code, document = judged(repository)
        assert (code, "never-seen" in codes(document)) == (1, True), more
        assert "sql.drop_table" in rules(document)


NARROW = """\
version = 1
[watch]
sql = ["migrations/*.sql"]
exclude = ["migrations/*", "!migrations/0*.sql"]
embedded = ["scripts/*.py"]
[env.local.sources.db]
path = "data/app.db"
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('sql = ["migrations/*.sql"]', 'sql = ["migrations/any.sql"]'),
        ('sql = ["migrations/*.sql"]', 'sql = ["migrations/a*", "migrations/b*"]'),
        ('sql = ["migrations/*.sql"]', 'sql = ["migrations/[!d]*.sql"]'),
        (', "!migrations/0*.sql"]', "]"),
        ('["migrations/*", "!migrations/0*.sql"]', '["!migrations/0*.sql", "migrations/*"]'),
        ('embedded = ["scripts/*.py"]', 'embedded = ["scripts/*.py"]\ndjango = ["scripts/*.py"]'),
        ('path = "data/app.db"', 'path = "data/app.db"\n[env.x.sources.db]\npath = "x.db"\n'),
        ('path = "data/app.db"', 'path = "data/app.db"\n[env.local]\nstore = "elsewhere"'),
    ],
)
def test_what_is_watched_cannot_be_talked_away(tmp_path: Path, old: str, new: str) -> None:
    assert old in NARROW
    after = NARROW.replace(old, new, 1)
    if "[env.x" in new:
        after = after.replace("version = 1", 'version = 1\ndefault_env = "x"')
    repository = make_repository(tmp_path / "repo", config=NARROW, rows=0)
    (repository / "migrations" / "0002.sql").write_text(DROP)
    (repository / "scripts").mkdir()
    (repository / "scripts" / "a.py").write_text(f"db.execute({DROP!r})\n")
    configure(repository, after)
    code, document = judged(repository)
    assert (code, {"config.loosened", "config.moved"} & {*rules(document)} != set()) == (1, True)
    assert "sql.drop_table" in rules(document)


def test_a_configuration_that_could_not_be_read_opens_nothing(tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repo", config=CONFIG + "[bogus]\nx = 1\n", rows=0)
    (repository / "migrations" / "0002.sql").write_text(DROP)
    configure(repository, CONFIG.replace("migrations/*.sql", "elsewhere/*.sql"))
    code, document = judged(repository)
    assert (code, rules(document)) == (1, ["config.loosened"])
    assert "cannot be read" in document["changes"][0]["reason"]


def test_an_environment_that_is_new_does_not_hide_what_is_no_longer_watched(repository: Path) -> None:
    (repository / "migrations" / "0007.sql").write_text(DROP)
    more = CONFIG.replace("[env.local]", 'exclude = ["migrations/0007*"]\n[env.local]', 1)
    more += '[env.staging]\nstore = "other"\n[env.staging.sources.db]\nkind = "sqlite"\npath = "data/app.db"\n'
    configure(repository, more)
    done = ics_guard(repository, "gate", "--json", "--env", "staging")
    assert "config.loosened" in rules(json.loads(done.stdout))


def test_a_target_that_cannot_be_read_is_no_target_that_asks_nothing(repository: Path) -> None:
    git(repository, "switch", "-qc", "work")
    (repository / "notes.txt").write_text("x")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "work", "--no-verify")
    git(repository, "switch", "-q", "main")
    (repository / "ics-guard.toml").write_text(CONFIG + "[bogus]\nx = 1\n")
    git(repository, "commit", "-qam", "odd", "--no-verify")
    git(repository, "switch", "-q", "work")
    done = ics_guard(repository, "check", "--json", "--range", "main..work")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "config-unknown-key")


def test_a_folder_that_is_new_cannot_take_the_place_of_the_watched_one(tmp_path: Path) -> None:
    watched = CONFIG.replace("[watch]\n", '[watch]\nalembic = ["revisions"]\n')
    repository = make_repository(tmp_path / "repo", config=CONFIG, rows=0)
    stage(repository, **{"revisions/README": "", "ics-guard.toml": watched})
    git(repository, "commit", "-qm", "revisions", "--no-verify")
    git(repository, "switch", "-qc", "work")
    stage(repository, **{"revisions/versions/keep": "", "revisions/b2.py": REVISION})
    git(repository, "commit", "-qm", "another folder", "--no-verify")
    assert ("config.loosened", "watch.alembic") in {(c["rule"], c["object"]) for c in checked(repository, "main..work")}
    assert "alembic.drop_table" in rules(judged(repository, "--range", "main..work")[1])


NAMES = st.sampled_from(["a", "b", "ab", "a.sql", "b.py", "a.ddl", ".a", "a b"])
PARTS = st.sampled_from(["*", "**", "a", "b", "*.sql", "*.py", "a*", "?", "*b", "a.*"])
BOUNDS = st.sampled_from(["", "/"])
PATTERNS = st.tuples(BOUNDS, st.lists(PARTS, min_size=1, max_size=4).map("/".join), BOUNDS).map("".join)
PATHS = st.lists(NAMES, min_size=1, max_size=5).map("/".join)


@given(one=PATTERNS, other=PATTERNS, paths=st.lists(PATHS, min_size=40, max_size=40))
@settings(max_examples=300, deadline=None)
def test_what_patterns_are_said_to_be_to_one_another_they_are(one: str, other: str, paths: list[str]) -> None:
    assume(not patterns.trouble_with(one) and not patterns.trouble_with(other))
    first, second = (patterns.compiled([pattern]) for pattern in (one, other))
    both = [(patterns.matches(first, path), patterns.matches(second, path)) for path in paths]
    if patterns.covers(one, other):
        assert all(mine for mine, theirs in both if theirs)
    if patterns.apart(one, other):  # but for a folder that is named like a file
        plain = [pair for path, pair in zip(paths, both, strict=True) if "." not in path.rpartition("/")[0]]
        assert not any(mine and theirs for mine, theirs in plain)
