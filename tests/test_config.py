from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ics_guard import config
from ics_guard.config import Config, Retention, Smoke, Watch
from ics_guard.config.patterns import compiled, literal
from ics_guard.errors import ConfigError
from ics_guard.model import Kind, Severity

MINIMAL = 'version = 1\n[env.local.sources.db]\nkind = "sqlite"\npath = "data/app.db"\n'

CONTRACT = """
version = 1
default_env = "local"

[watch]
alembic  = ["alembic.ini"]
django   = ["*/migrations/*.py"]
sql      = ["db/migrations/*.sql"]
embedded = ["src/database/*.rs", "scripts/*.py"]
models   = ["app/models/*.py"]
exclude  = ["vendor/**"]

[policy]
rpo = "24h"
rto = "4h"
redrill = "30d"
on_missing = "create"
require_backup = ["destructive", "risky", "unknown", "additive"]
on_incoming = "backup"
retention = { daily = 7, weekly = 4, monthly = 6, keep_min = 3 }
rehearse_budget = "30s"
rules = { "sql.create_index" = "risky" }

[env.local]
store = "backups"
mirror = "~/ics-guard-backups/app"
[env.local.sources.db]
kind = "sqlite"
path = "data/app.db"
guards = ["**"]
smoke = [{ sql = "SELECT count(*) FROM episodes" }, { run = "python scripts/health_check.py" }]
stop = "./stop_dev.sh"
start = "./start_dev.sh"
unchecked = ["segments"]
[env.local.sources.transcripts]
kind = "directory"
path = "scripts/transcripts"

[env.prod]
store = "s3://team-backups/app"
required = true
[env.prod.sources.db]
kind = "postgres"
url = "env:DATABASE_URL"

[rehearse]
command = "alembic upgrade {revision}"
env = { DATABASE_URL = "sqlite:///{copy}" }
"""


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def load(root: Path, text: str, **files: str) -> Config:
    write(root, {config.NAME: text, **files})
    return config.load(root)


def refused(root: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(root, text)
    assert caught.value.fix
    assert caught.value.exit_code == 2
    return caught.value


def test_a_minimal_configuration_has_the_defaults_of_the_contract(tmp_path: Path) -> None:
    found = load(tmp_path, MINIMAL)
    assert (found.root, found.version, found.default_env, found.inputs) == (tmp_path, 1, "local", ("ics-guard.toml",))
    assert found.watch == Watch()
    assert found.rehearse is None
    local = found.environments["local"]
    assert (local.name, local.store, local.mirror, local.required) == ("local", "backups", None, False)
    policy = local.policy
    assert (policy.rpo, policy.rto, policy.redrill) == (timedelta(days=1), timedelta(hours=4), timedelta(days=30))
    assert (policy.on_missing, policy.on_incoming, policy.current) == ("create", "backup", None)
    assert policy.require_backup == frozenset(Severity) - {Severity.NOTICE}
    assert policy.retention == Retention(7, 4, 6, 3)
    assert (policy.rehearse_budget, policy.rules) == (timedelta(seconds=30), {})
    source = local.sources["db"]
    assert (source.name, source.kind, source.path, source.url) == ("db", "sqlite", "data/app.db", None)
    assert (source.guards, source.smoke, source.stop, source.start) == (("**",), (), None, None)
    assert (source.unchecked, source.gate) == ((), True)


def test_the_configuration_of_the_contract_is_read_whole(tmp_path: Path) -> None:
    write(tmp_path, {"alembic.ini": "[alembic]\nscript_location = db\n", "db/env.py": "", "db/versions/a.py": ""})
    found = load(tmp_path, CONTRACT)
    assert found.watch.alembic_folders == ("db/versions",)
    assert found.inputs == ("ics-guard.toml", "alembic.ini")
    local, prod = found.environments["local"], found.environments["prod"]
    assert local.mirror == "~/ics-guard-backups/app"
    assert local.policy.rules == {"sql.create_index": Severity.RISKY}
    database, transcripts = local.sources["db"], local.sources["transcripts"]
    assert database.smoke == (Smoke(sql="SELECT count(*) FROM episodes"), Smoke(run="python scripts/health_check.py"))
    assert (database.stop, database.start, database.unchecked) == ("./stop_dev.sh", "./start_dev.sh", ("segments",))
    assert (transcripts.kind, transcripts.gate) == ("directory", False)
    assert (prod.store, prod.required, prod.sources["db"].url) == ("s3://team-backups/app", True, "env:DATABASE_URL")
    assert found.rehearse is not None
    assert found.rehearse.command == "alembic upgrade {revision}"
    assert found.rehearse.env == {"DATABASE_URL": "sqlite:///{copy}"}


@pytest.mark.parametrize(
    ("text", "code", "said", "fix"),
    [
        ("", "config-value", "`version` is missing", "version = 1"),
        ("version = 2\n", "config-value", "ics-guard.toml:1: `version` is 2", "version = 1"),
        ("version = true\n", "config-type", "`version` must be a whole number", "whole number"),
        ("version = [\n", "config-syntax", "is not TOML", "mend"),
        ("version = 1\n", "config-value", "no environment", "ics-guard init"),
        ("version = 1\nenv = 3\n", "config-type", "ics-guard.toml:2: `env` must be a table", "table"),
        (
            "version = 1\n[wach]\nsql = []\n",
            "config-unknown-key",
            "ics-guard.toml:2: there is no key `wach`",
            "`watch`",
        ),
        (
            MINIMAL + 'pth = "x"\n',
            "config-unknown-key",
            ":5: there is no key `pth` in [env.local.sources.db]",
            "`path`",
        ),
        (MINIMAL + "[watch]\nslq = []\n", "config-unknown-key", ":6: there is no key `slq`", "`sql`"),
        (MINIMAL + "[policy]\nretention = { dayly = 1 }\n", "config-unknown-key", ":6:", "`daily`"),
        (MINIMAL + 'path = "twice"\n', "config-syntax", "line 5", "mend"),
        (MINIMAL + '[watch]\nsql = "x"\n', "config-type", ":6: `sql` must be a list", "list"),
        (MINIMAL + "[watch]\nsql = [1]\n", "config-value", ":6: `sql` must be a list of texts", "sql ="),
        (MINIMAL + '[watch]\nsql = ["a[z-a]"]\n', "config-value", ":6: the pattern 'a[z-a]'", ".gitignore"),
        (MINIMAL + '[watch]\nsql = ["a["]\n', "config-value", "matches nothing", ".gitignore"),
        (MINIMAL + '[watch]\nsql = [""]\n', "config-value", "empty", ".gitignore"),
        (MINIMAL + '[watch]\nsql = ["./db/*.sql"]\n', "config-value", "relative to the root", ".gitignore"),
        (MINIMAL + '[watch]\nsql = ["# no"]\n', "config-value", "matches nothing", ".gitignore"),
        (MINIMAL + 'guards = ["../x"]\n', "config-value", ":5: the pattern '../x' in `guards`", ".gitignore"),
        (MINIMAL + '[watch]\nalembic = ["nowhere"]\n', "config-value", "no such folder", "revisions"),
        (MINIMAL + '[watch]\nalembic = ["a/*/versions"]\n', "config-value", "files and folders", "alembic.ini"),
        (MINIMAL + '[watch]\nalembic = ["../versions"]\n', "config-value", "files and folders", "alembic.ini"),
        (MINIMAL + '[watch]\nalembic = ["alembic.ini"]\n', "config-alembic", ":6: where the revisions", "alembic = ["),
        (MINIMAL + '[policy]\nrpo = "1 day"\n', "config-value", ":6: `rpo` is '1 day'", 'rpo = "24h"'),
        (MINIMAL + '[policy]\nrpo = "0h"\n', "config-value", "no duration", "24h"),
        (MINIMAL + "[policy]\nrpo = 24\n", "config-type", "must be text", "text"),
        (MINIMAL + '[policy]\non_missing = "crate"\n', "config-value", "'crate'", "`create`"),
        (MINIMAL + '[policy]\nrequire_backup = ["notice"]\n', "config-value", "can block", "destructive"),
        (MINIMAL + '[policy]\nrules = { "sql.x" = "bad" }\n', "config-value", "`sql.x` is 'bad'", "destructive"),
        (MINIMAL + "[policy]\nretention = { keep_min = 0 }\n", "config-value", "`keep_min` is 0", "from 1"),
        (MINIMAL + '[policy]\ncurrent = "yes"\n', "config-type", "true or false", "true or false"),
        (MINIMAL + 'smoke = [{ sql = "SELECT 1", run = "x" }]\n', "config-value", "either `sql` or `run`", "smoke ="),
        (MINIMAL + 'smoke = ["SELECT 1"]\n', "config-value", "a list of tables", "smoke ="),
        (MINIMAL + 'url = "env:X"\n', "config-value", "takes a `path`, no `url`", "out"),
        (MINIMAL + 'stop = ""\n', "config-value", "`stop` is empty", "take the line out"),
        (MINIMAL.replace("path", "# path"), "config-value", ":2: a sqlite source needs a `path`", "data/app.db"),
        (MINIMAL.replace("sqlite", "sqlit"), "config-value", ":3: `kind` is 'sqlit'", "`sqlite`"),
        (MINIMAL.replace("sqlite", "postgres"), "config-value", "a postgres source needs a `url`", "env:DATABASE_URL"),
        ('default_env = "prod"\n' + MINIMAL, "config-value", ":1: `default_env` is 'prod'", '"local"'),
        (MINIMAL.replace("local", '"my env"'), "config-value", "'my env' cannot be a name", "letters"),
        (MINIMAL + "[rehearse]\n", "config-value", "needs a `command`", "alembic upgrade"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line_and_a_fix(
    tmp_path: Path, text: str, code: str, said: str, fix: str
) -> None:
    error = refused(tmp_path, text)
    assert error.code == code
    assert said in error.message
    assert fix in error.fix


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:hunter2@db.example/app",
        "postgresql://app:hunter2/with@slash@db.example/app",
        "postgresql://db.example/app?password=hunter2",
        "host=db.example password=hunter2",
        "hunter2",
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    postgres = f'version = 1\n[env.prod.sources.db]\nkind = "postgres"\nurl = "{url}"\n'
    error = refused(tmp_path, postgres)
    assert "hunter2" not in error.message + error.fix
    assert "env:DATABASE_URL" in error.fix
    write(tmp_path, {config.LOCAL_NAME: f'[env.prod.sources.db]\nurl = "{url}"\n'})
    error = refused(tmp_path, postgres.replace(url, "env:X"))
    assert "hunter2" not in error.message + error.fix
    assert config.LOCAL_NAME in error.message


@pytest.mark.parametrize(
    "url", ["env:DATABASE_URL", "file:/run/secrets/url", "postgresql:///app", "postgresql://db/app"]
)
def test_a_url_without_a_secret_is_taken(tmp_path: Path, url: str) -> None:
    found = load(tmp_path, f'version = 1\n[env.prod.sources.db]\nkind = "postgres"\nurl = "{url}"\n')
    assert found.environments["prod"].sources["db"].url == url


def test_a_missing_file_names_init(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path)
    assert (caught.value.code, caught.value.fix) == ("config-missing", "ics-guard init")


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / config.NAME).write_bytes(b'version = 1 # \xff\xfe"')
    with pytest.raises(ConfigError, match="not UTF-8"):
        config.load(tmp_path)


def test_an_environment_overrides_policy_key_by_key(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        MINIMAL
        + """
        [policy]
        rpo = "2w"
        rto = "90m"
        retention = { daily = 9, weekly = 9 }
        rules = { a = "notice", b = "risky" }
        [env.local.policy]
        rto = "15s"
        current = false
        retention = { weekly = 1 }
        rules = { b = "destructive" }
        """,
    )
    policy = found.environments["local"].policy
    assert (policy.rpo, policy.rto, policy.current) == (timedelta(weeks=2), timedelta(seconds=15), False)
    assert policy.retention == Retention(daily=9, weekly=1)
    assert policy.rules == {"a": Severity.NOTICE, "b": Severity.DESTRUCTIVE}


def test_production_refuses_unless_its_own_table_says_create(tmp_path: Path) -> None:
    prod = '[env.prod.sources.db]\npath = "prod.db"\n[policy]\non_missing = "create"\n'
    found = load(tmp_path, MINIMAL + prod)
    assert found.environments["local"].policy.on_missing == "create"
    assert found.environments["prod"].policy.on_missing == "refuse"
    found = load(tmp_path, MINIMAL + prod + '[env.prod.policy]\non_missing = "create"\n')
    assert found.environments["prod"].policy.on_missing == "create"


def test_the_default_environment_is_the_only_one_or_local(tmp_path: Path) -> None:
    assert load(tmp_path, MINIMAL.replace("local", "dev")).default_env == "dev"
    assert load(tmp_path, MINIMAL + '[env.alpha.sources.db]\npath = "x"\n').default_env == "local"
    two = MINIMAL.replace("local", "dev") + '[env.alpha.sources.db]\npath = "x"\n'
    assert "`default_env` is 'local'" in refused(tmp_path, two).message


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("db/versions/a.py", Kind.ALEMBIC),
        ("db/versions/2024/deep/b.py", Kind.ALEMBIC),
        ("db/versions/__pycache__/a.pyc", None),
        ("db/versions/__pycache__/a.py", Kind.ALEMBIC),
        ("db/versions/a.pyc", Kind.ALEMBIC),
        ("db/versions/notes.md", None),
        ("db/env.py", None),
        ("shop/migrations/0001_initial.py", Kind.DJANGO),
        ("db/migrations/1.sql", Kind.SQL),
        ("db/migrations/sub/1.sql", None),
        ("db/migrations/\udcff.sql", Kind.SQL),
        ("db/migrations/a\nb.sql", Kind.SQL),
        ("src/database/mod.rs", Kind.EMBEDDED),
        ("src/other/mod.rs", None),
        ("app/models/user.py", Kind.MODEL),
        ("vendor/db/migrations/1.sql", None),
        ("vendor/x/migrations/1.py", None),
        ("README.md", None),
    ],
)
def test_the_kind_of_a_path(path: str, kind: Kind | None) -> None:
    watch = Watch(
        django=("**/migrations/*.py",),
        sql=("db/migrations/*.sql", "vendor/db/migrations/*.sql"),
        embedded=("src/database/*.rs",),
        models=("app/models/*.py",),
        exclude=("vendor/**",),
        alembic_folders=("db/versions",),
    )
    assert watch.kind_of(path) is kind


def test_a_folder_name_with_special_letters_is_taken_literally() -> None:
    watch = Watch(alembic_folders=("a[b]/!v*",))
    assert watch.kind_of("a[b]/!v*/x.py") is Kind.ALEMBIC
    assert watch.kind_of("ab/!v/x.py") is None
    assert Watch(alembic_folders=("!v",)).kind_of("!v/x.py") is Kind.ALEMBIC
    assert Watch(alembic_folders=(".",)).kind_of("deep/x.py") is Kind.ALEMBIC


names = st.text("ab.[]*?!#\\ \n_é", min_size=1, max_size=6).filter(lambda name: name not in (".", ".."))
paths = st.lists(names, min_size=1, max_size=3).map("/".join)


@pytest.mark.parametrize(
    ("pattern", "named", "unnamed", "misses"),
    [
        ("db/migrations/*.sql", {"db", "db/migrations"}, set(), {"dbx", "x/db", "db/migrationsx", "db/x/migrations"}),
        ("*/migrations/*.py", {"app/migrations"}, set(), {"app", "app/other", "a/b/migrations"}),
        ("**/migrations/*.py", {"app/migrations"}, set(), {"app", "x/y/z"}),
        ("*.sql", {"a.sql", "x/a.sql"}, set(), {"db", "x/y/z"}),
        ("db/**/*.sql", {"db"}, {"db/x", "db/x/y"}, {"x", "x/db"}),
        ("vendor/", {"vendor", "x/vendor"}, set(), {"x", "x/y/z"}),
        ("/top", {"top", "top/x"}, set(), {"x/top", "topx"}),
        ("a\\*b/x", {"a*b"}, set(), {"axb", "a*b/y"}),
        ("!db/x", set(), set(), {"db"}),
    ],
)
def test_what_may_be_watched_below_a_path(pattern: str, named: set[str], unnamed: set[str], misses: set[str]) -> None:
    watch = Watch(sql=(pattern,))
    paths = named | unnamed | misses
    assert {path for path in paths if watch.kind_below(path)} == named | unnamed
    assert {path for path in paths if watch.kind_below(path, named=True)} == named


def test_what_is_excluded_whole_has_nothing_watched_below() -> None:
    watch = Watch(sql=("?*/**/*.sql",), exclude=("vendor/", "docs/**", "*.md.sql"))
    assert [path for path in ("vendor", "vendor/x", "docs", "docs/x", "x") if watch.kind_below(path)] == ["x"]
    back = Watch(sql=("vendor/*.sql",), exclude=("vendor/*", "!vendor/keep.sql"))
    assert back.kind_below("vendor")


@given(path=paths)
@example(path="a\nb/c.py")
def test_patterns_match_all_that_has_a_kind(path: str) -> None:
    watch = Watch(sql=("*.[ab]*", "a/**"), alembic_folders=("a", "[b]"))
    if watch.kind_of(path):
        assert compiled(watch.patterns()).match_file(path.replace("\n", "_"))


@given(path=paths, other=paths)
@example(path="a b", other="a")
def test_a_literal_pattern_matches_its_path_and_no_sibling(path: str, other: str) -> None:
    if "\n" in path + other or any(part.endswith(" ") for part in (path, other)):
        return
    spec = compiled([f"/{literal(path)}"])
    assert spec.match_file(path)
    assert spec.match_file(other) == (other == path or other.startswith(f"{path}/"))


INI = "[alembic]\nscript_location = {}\n{}"


@pytest.mark.parametrize(
    ("entry", "files", "folders", "inputs"),
    [
        ("alembic.ini", {"alembic.ini": INI.format("db", ""), "db/versions/a.py": ""}, ["db/versions"], 1),
        ("alembic.ini", {"alembic.ini": INI.format("%(here)s/db", ""), "db/env.py": ""}, ["db/versions"], 1),
        ("m/alembic.ini", {"m/alembic.ini": INI.format(".", ""), "m/env.py": ""}, ["m/versions"], 1),
        ("x/alembic.ini", {"x/alembic.ini": INI.format("db", ""), "db/env.py": ""}, ["db/versions"], 1),
        (
            "alembic.ini",
            {"alembic.ini": INI.format("app.db:moves", ""), "app/db/moves/env.py": ""},
            ["app/db/moves/versions"],
            1,
        ),
        (
            "alembic.ini",
            {"alembic.ini": INI.format("app:db:moves", ""), "src/app/db/moves/env.py": ""},
            ["src/app/db/moves/versions"],
            1,
        ),
        (
            "alembic.ini",
            {"alembic.ini": INI.format("app:db", "prepend_sys_path = lib\n"), "lib/app/db/env.py": ""},
            ["lib/app/db/versions"],
            1,
        ),
        (
            "alembic.ini",
            {
                "alembic.ini": INI.format("db", "path_separator = os\nversion_locations = %(here)s/one:%(here)s/two\n"),
                "db/env.py": "",
                "one/a.py": "",
                "two/a.py": "",
            },
            ["one", "two"],
            1,
        ),
        (
            "alembic.ini",
            {
                "alembic.ini": INI.format(
                    "db", "version_path_separator = newline\nversion_locations =\n  o ne\n  two\n"
                ),
                "o ne/a.py": "",
                "two/a.py": "",
            },
            ["o ne", "two"],
            1,
        ),
        (
            "alembic.ini",
            {"alembic.ini": INI.format("db", "version_locations = one, two\n"), "one/a.py": "", "two/a.py": ""},
            ["one", "two"],
            1,
        ),
        (
            "alembic.ini",
            {
                "alembic.ini": "[first]\nscript_location = a\n[second]\nscript_location = b\n",
                "a/env.py": "",
                "b/env.py": "",
            },
            ["a/versions", "b/versions"],
            1,
        ),
        (
            "pyproject.toml",
            {"pyproject.toml": '[tool.alembic]\nscript_location = "%(here)s/db"\n', "db/env.py": ""},
            ["db/versions"],
            1,
        ),
        (
            "alembic.ini",
            {
                "alembic.ini": "[alembic]\nsqlalchemy.url = %(nothing)s\n",
                "pyproject.toml": '[tool.alembic]\nscript_location = "db"\nversion_locations = ["%(here)s/one"]\n',
                "one/a.py": "",
            },
            ["one"],
            2,
        ),
        ("moves", {"moves/a.py": ""}, ["moves"], 0),
        ("moves/", {"moves/versions/a.py": ""}, ["moves/versions"], 0),
    ],
)
def test_where_alembic_keeps_its_revisions(
    tmp_path: Path, entry: str, files: dict[str, str], folders: list[str], inputs: int
) -> None:
    write(tmp_path, files)
    found = load(tmp_path, MINIMAL + f"[watch]\nalembic = [{json.dumps(entry)}]\n")
    assert list(found.watch.alembic_folders) == folders
    assert len(found.inputs) == 1 + inputs
    assert found.watch.kind_of(f"{folders[0]}/x.py") is Kind.ALEMBIC


@pytest.mark.parametrize(
    "text",
    [
        INI.format("{alembic_dir}", ""),
        INI.format("nowhere", ""),
        INI.format("%(home)s/db", ""),
        INI.format("/", ""),
        INI.format("db", "version_locations = nowhere\n"),
        INI.format("db", "path_separator = pipe\nversion_locations = a\n"),
        INI.format(".", ""),
        "script_location = db\n",
        "[alembic]\n",
        "",
    ],
)
def test_an_ini_that_cannot_be_resolved_says_what_to_write(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"alembic.ini": text, "db/env.py": ""})
    error = refused(tmp_path, MINIMAL + '[watch]\nalembic = ["alembic.ini"]\n')
    assert error.code == "config-alembic"
    assert "ics-guard.toml:6" in error.message
    assert "alembic = [" in error.fix


def test_revisions_outside_of_the_repository_are_refused(tmp_path: Path) -> None:
    write(tmp_path, {"elsewhere/env.py": "", "app/alembic.ini": INI.format("%(here)s/../elsewhere", "")})
    error = refused(tmp_path / "app", MINIMAL + '[watch]\nalembic = ["alembic.ini"]\n')
    assert "outside of the repository" in error.message


def test_the_configuration_of_another_commit_needs_no_folder_here(tmp_path: Path) -> None:
    load(tmp_path, MINIMAL)
    found = config.load(tmp_path, MINIMAL + '[watch]\nalembic = ["old/versions"]\n')
    assert found.watch.alembic_folders == ("old/versions",)


def test_the_local_file_overrides_places_and_nothing_else(tmp_path: Path) -> None:
    postgres = '[env.local.sources.pg]\nkind = "postgres"\nurl = "env:X"\n'
    places = '[env.local]\nstore = "/mnt/s"\nmirror = "/mnt/m"\n[env.local.sources.db]\npath = "~/x.db"\n'
    write(tmp_path, {config.LOCAL_NAME: places + '[env.local.sources.pg]\nurl = "env:Y"\n'})
    local = load(tmp_path, MINIMAL + postgres).environments["local"]
    assert (local.store, local.mirror) == ("/mnt/s", "/mnt/m")
    assert (local.sources["db"].path, local.sources["pg"].url) == ("~/x.db", "env:Y")
    for text, said in (
        ("[env.local]\nrequired = false\n", "ics-guard.local.toml:2: there is no key `required`"),
        ('[env.local.sources.db]\nguards = ["x"]\n', "there is no key `guards`"),
        ('[policy]\nrpo = "9w"\n', "there is no key `policy`"),
        ('[env.loca]\nstore = "x"\n', "no [env.loca] in ics-guard.toml"),
        ('[env.local.sources.bd]\npath = "x"\n', "no [env.local.sources.bd] in ics-guard.toml"),
    ):
        write(tmp_path, {config.LOCAL_NAME: text})
        assert said in refused(tmp_path, MINIMAL).message
    write(tmp_path, {config.LOCAL_NAME: '[env.later]\nstore = "x"\n'})
    assert config.load(tmp_path, MINIMAL).environments["local"].store == "backups"


def test_a_relative_path_is_here_or_else_in_the_main_worktree(tmp_path: Path) -> None:
    main, linked = tmp_path / "main", tmp_path / "linked"
    write(main, {"data/app.db": ""})
    linked.mkdir()
    found = load(linked, MINIMAL)
    source = found.environments["local"].sources["db"]
    assert config.source_path(found, source, main) == main / "data/app.db"
    (linked / "data").mkdir()
    (linked / "data/app.db").symlink_to("nowhere")
    assert config.source_path(found, source, main) == linked / "data/app.db"
    (linked / "data/app.db").unlink()
    (main / "data/app.db").unlink()
    assert config.source_path(found, source, main) == linked / "data/app.db"
    assert config.store_path(found.environments["local"], main) == main / "backups"


def test_absolute_paths_and_home_are_taken_at_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    found = load(tmp_path, MINIMAL.replace("data/app.db", "~/app.db") + '[env.local]\nstore = "/mnt/store"\n')
    local = found.environments["local"]
    assert local.sources["db"].path == "~/app.db"
    assert config.source_path(found, local.sources["db"], tmp_path) == tmp_path / "home/app.db"
    assert config.store_path(local, tmp_path) == Path("/mnt/store")


def test_places_that_are_none_are_errors(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        'version = 1\n[env.prod]\nstore = "s3://b/x"\n[env.prod.sources.pg]\nkind = "postgres"\nurl = "env:X"\n'
        '[env.prod.sources.db]\npath = "~nobody-of-that-name/x.db"\n',
    )
    prod = found.environments["prod"]
    with pytest.raises(ConfigError, match="has no path"):
        config.source_path(found, prod.sources["pg"], tmp_path)
    with pytest.raises(ConfigError, match="no such home"):
        config.source_path(found, prod.sources["db"], tmp_path)
    with pytest.raises(ConfigError, match="not a folder"):
        config.store_path(prod, tmp_path)


def test_a_source_answers_for_what_it_guards(tmp_path: Path) -> None:
    found = load(tmp_path, MINIMAL + 'guards = ["db/**", "!db/other/*.sql"]\n')
    source = found.environments["local"].sources["db"]
    assert source.guards_path("db/x/1.sql")
    assert not source.guards_path("web/1.sql")


def test_importing_the_configuration_loads_nothing_slow() -> None:
    script = (
        "import sys, ics_guard.config; print([m for m in ('pathspec', 'alembic', 'sqlalchemy') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


keys = st.sampled_from(
    ["version", "env", "watch", "policy", "local", "sources", "db", "path", "kind", "smoke", "url", "x"]
)
leaves = st.one_of(st.integers(), st.booleans(), st.text("ab:/*[~.\\", max_size=5), st.just("24h"), st.just("sqlite"))
values = st.recursive(leaves, lambda v: st.lists(v, max_size=2) | st.dictionaries(keys, v, max_size=3), max_leaves=8)


def inline(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {inline(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value)


@given(document=st.dictionaries(keys, values, max_size=5))
def test_any_document_is_read_or_refused_with_a_fix(
    document: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = "".join(f"{key} = {inline(value)}\n" for key, value in {**document, "version": 1}.items())
    try:
        config.load(tmp_path_factory.getbasetemp(), text)
    except ConfigError as error:
        assert error.fix
