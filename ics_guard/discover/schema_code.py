"""Which files of a repository decide the schema: migrations, SQL, DDL inside code, models."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from ics_guard.config.patterns import compiled, literal, matches
from ics_guard.discover.alembic_setups import Setup, find_setups
from ics_guard.discover.django_apps import django_patterns, only_named_so
from ics_guard.discover.literals import count_ddl, holds_ddl, may_hold_ddl, string_literals, tables_created
from ics_guard.discover.nouns import Pattern
from ics_guard.discover.revisions import Migration, read_migration
from ics_guard.discover.worktree import CODE, WorkTree, is_aside, is_document

_LARGEST = 4 << 20
_MOST = 20
_DATABASE_ROOMS = {"database", "databases", "db", "schema", "schemas", "migrations", "storage", "persistence"}
_MIGRATION_ROOMS = {"migrations", "migrate", "migration"}
_TABLENAME = re.compile(r"""^\s+__tablename__\s*(?::[^=\n]+)?=\s*["'](\w+)["']""", re.MULTILINE)
_MODEL = re.compile(r"^class \w+\([^)]*\b(?:Model|Base|DeclarativeBase|SQLModel)\b[^)]*\):", re.MULTILINE)
_COLUMN = re.compile(r"=\s*(?:\w+\.)?(?:Column|mapped_column|Field)\(")
_NUMBERED = re.compile(r"(?:v_?)?\d|[vru]\d*(?:[._]\d+)*__", re.IGNORECASE)
"""A name that says that others come before or after: `001_init.sql`, `2024_01_01_init.sql`, `V1__init.sql`."""
_SEEDS = re.compile(r"(?:^|[/_.-])(?:seeds?|dumps?)(?:[/_.-]|$)")


@dataclass(frozen=True)
class SchemaCode:
    """Entries for `[watch]`, what cannot be told, and the `tables` that all this makes, lower-case."""

    setups: tuple[Setup, ...]
    django: tuple[Pattern, ...]
    sql: tuple[Pattern, ...]
    embedded: tuple[Pattern, ...]
    models: tuple[Pattern, ...]
    exclude: tuple[Pattern, ...]
    tables: frozenset[str]
    questions: tuple[str, ...]


def find_schema_code(tree: WorkTree) -> SchemaCode:
    """Given a work tree, return what in it decides a schema. Tests, examples, documents and vendored code do not."""
    texts = _texts(tree, (*CODE, ".sql"))
    python = {path: text for path, text in texts.items() if path.endswith(".py")}
    migrations = _migrations(texts)
    setups, questions = find_setups(tree, migrations)
    tables = {table for setup in setups for table in setup.tables}
    sql = _with_ddl(texts)
    for text in sql.values():
        tables.update(tables_created(text))
    taken = {one.path for one in migrations}
    code = {path: text for path, text in texts.items() if path not in taken and not path.endswith(".sql")}
    counts: dict[str, int] = {}
    for path, text in code.items():
        if may_hold_ddl(text) and (count := count_ddl(strings := string_literals(path, text))):
            counts[path] = count
            tables.update(tables_created(strings))
    for text in python.values():
        tables.update(name.lower() for name in _TABLENAME.findall(text))
    embedded, exclude, more = _embedded(counts, tree)
    models = tuple(Pattern(literal(path), "classes mapped to tables") for path in _models(code) if path not in counts)
    django = django_patterns(migrations)
    watched_sql = _sql(sql)
    home = frozenset(folder for setup in setups for folder in setup.folders)
    apart, excluded = only_named_so(tree, migrations, django, (*embedded, *models), home)
    return SchemaCode(
        tuple(setups),
        (*django, *apart),
        watched_sql,
        embedded,
        models,
        (*excluded, *exclude, *_seeds(tree, watched_sql)),
        frozenset(tables),
        (*questions, *more),
    )


def migration_files(tree: WorkTree) -> list[str]:
    """Given a work tree, return the files in it that look like migrations: by what is in them, SQL by its name too."""
    texts = _texts(tree, (".py", ".sql"))
    sql = [path for path in _with_ddl(texts) if _is_migration_room(_room(path)) or _is_numbered(path)]
    return sorted([*(one.path for one in _migrations(texts)), *sql])


def _texts(tree: WorkTree, ends: tuple[str, ...]) -> dict[str, str]:
    candidates = [path for path in tree.code if tree.sizes[path] <= _LARGEST and path.endswith(ends)]
    return {path: tree.read(path) for path in candidates if not is_aside(path) and not is_document(path)}


def _migrations(texts: Mapping[str, str]) -> list[Migration]:
    python = ((path, text) for path, text in texts.items() if path.endswith(".py"))
    return [found for path, text in python if (found := read_migration(path, text))]


def _with_ddl(texts: Mapping[str, str]) -> dict[str, str]:
    sql = {path: text for path, text in texts.items() if path.endswith(".sql") and not _SEEDS.search(path.lower())}
    return {path: text for path, text in sql.items() if holds_ddl(text)}


def _is_migration_room(folder: str) -> bool:
    return PurePosixPath(folder).name in _MIGRATION_ROOMS


def _is_numbered(path: str) -> bool:
    return bool(_NUMBERED.match(PurePosixPath(path).name))


def _sql(files: Iterable[str]) -> tuple[Pattern, ...]:
    folders: dict[str, list[str]] = defaultdict(list)
    for path in files:
        folders[_room(path)].append(path)
    found = []
    for folder, paths in sorted(folders.items()):
        deep = any(PurePosixPath(path).parent.as_posix() != folder for path in paths)
        if len(paths) == 1 and not _is_migration_room(folder) and not _is_numbered(paths[0]):
            found.append(Pattern(literal(paths[0]), "it defines tables"))
        else:
            pattern = f"{_glob(folder, '')}*/*.sql" if deep else _glob(folder, ".sql")
            several = f"{len(paths)} files with DDL" if len(paths) > 1 else "a file with DDL, and the next one"
            found.append(Pattern(pattern, several))
    return tuple(found)


def _seeds(tree: WorkTree, watched: Iterable[Pattern]) -> tuple[Pattern, ...]:
    """Files of rows beside schema code, but for those that are migrations themselves."""
    spec = compiled(pattern.text for pattern in watched)
    named = (path for path in tree.code if path.endswith(".sql") and _SEEDS.search(path.lower()))
    rows = (path for path in named if not _is_numbered(path) and not _is_migration_room(_room(path)))
    return tuple(Pattern(literal(path), "rows, by its name") for path in rows if matches(spec, path))


def _room(path: str) -> str:
    """The folder to watch for an SQL file: the folder of migrations above it, or else its own."""
    parents = [parent.as_posix() for parent in PurePosixPath(path).parents]
    return next((parent for parent in parents if _is_migration_room(parent)), parents[0])


def _embedded(
    counts: dict[str, int], tree: WorkTree
) -> tuple[tuple[Pattern, ...], tuple[Pattern, ...], tuple[str, ...]]:
    """A folder that is all about the database is watched as a whole, so that the next file in it counts at once."""
    ranked = sorted(counts, key=lambda path: (-counts[path], path))
    patterns: dict[str, int] = defaultdict(int)
    for path in ranked[:_MOST]:
        file = PurePosixPath(path)
        room = file.parent.name.lower() in _DATABASE_ROOMS
        patterns[_glob(file.parent.as_posix(), file.suffix) if room else literal(path)] += counts[path]
    folders = {
        PurePosixPath(pattern).parent.as_posix() for pattern in patterns if pattern.rsplit("/", 1)[-1][:1] == "*"
    }
    tests = [path for path in tree.code if is_aside(path) and PurePosixPath(path).parent.as_posix() in folders]
    more = ranked[_MOST:]
    asked = (f"{len(more)} more files hold DDL: {', '.join(more[:5])}…; are they schema code?",) if more else ()
    return (
        tuple(Pattern(pattern, _statements(count)) for pattern, count in patterns.items()),
        tuple(Pattern(literal(path), "a test beside schema code") for path in tests if path.endswith(CODE)),
        asked,
    )


def _statements(count: int) -> str:
    return "1 statement of DDL" if count == 1 else f"{count} statements of DDL"


def _models(code: dict[str, str]) -> list[str]:
    python = ((path, text) for path, text in code.items() if path.endswith(".py"))
    return [path for path, text in python if _TABLENAME.search(text) or (_MODEL.search(text) and _COLUMN.search(text))]


def _glob(folder: str, suffix: str) -> str:
    return f"{literal(folder)}/*{suffix}" if folder != "." else f"/*{suffix}"
