"""What an env.py does, told from its text: whether it certainly connects to a known database with the usual version table.

Two kinds are known: one that ends in `run_env(metadata)`, and the one of Alembic's generic template with the three lines changed. Anything
else may compute its URL or look elsewhere, so nothing is certain about it.
"""

import ast
import re
from collections.abc import Iterator
from configparser import ConfigParser
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from migrator.settings import NAMED, Settings

_RUN_ENV = re.compile(r"^run_env\([\w.]+\)\s*\Z", re.M)  # no options, so the version table is the usual one
# Where the names have to come from that the template uses.
_ORIGINS = {
    "context": "alembic",
    "engine_from_config": "sqlalchemy",
    "pool": "sqlalchemy",
    "fileConfig": "logging.config",
    "migrator": "",
    "run": "migrator",
}
_CONFIGURES_LOGGING = re.compile(r"fileConfig\(config\.config_file_name(, disable_existing_loggers=False)?\)")
_START = "if context.is_offline_mode():\n    run_migrations_offline()\nelse:\n    run_migrations_online()"
_CONNECT = re.compile(
    r"connectable = engine_from_config\(config\.get_section\(config\.config_ini_section(, {})?\), "
    r"prefix='sqlalchemy\.', poolclass=pool\.NullPool\)"
)
# Options of `context.configure()` that change neither where the version table is nor what a run with nothing to do answers.
_HARMLESS = {
    *("target_metadata", "include_object", "include_name", "include_schemas", "compare_type", "compare_server_default"),
    *(
        "render_as_batch",
        "render_item",
        "process_revision_directives",
        "user_module_prefix",
        "sqlalchemy_module_prefix",
    ),
}


class Place(NamedTuple):
    """A database, as an env.py reaches it."""

    url: str
    folder: Path
    """Where a relative path in the URL begins."""
    shown: str | None
    """The URL as the engine would show it; None where it brings it to a driver first."""


def place_of(env: Path, options: ConfigParser, settings: Settings) -> Place | None:
    """Return which database an env.py connects to, None where its text leaves a doubt. Runs nothing."""
    text = env.read_text(encoding="utf-8")
    if text.count("run_env(") == 1 and _RUN_ENV.search(text):
        return Place(settings.database_url, settings.root, None)
    url = options.get("alembic", "sqlalchemy.url", fallback="").replace("%(here)s", str(settings.root))
    others = {name for name in options["alembic"] if name.startswith("sqlalchemy.")} - {"sqlalchemy.url"}
    named = settings.source == NAMED  # which such an env.py may know nothing of
    if named or others or "%" in url or not _has_its_driver(url) or not _is_generic(text, options):
        return None
    return Place(url, Path.cwd(), re.sub(r"(://[^:/@]*):[^/@]*@", r"\1:***@", url))


def _has_its_driver(url: str) -> bool:
    """Whether SQLAlchemy takes the URL as it is; since 2.1 it takes psycopg where none is named."""
    return not url.startswith("postgres:") and (not url.startswith("postgresql:") or find_spec("psycopg") is not None)


def _is_generic(text: str, options: ConfigParser) -> bool:
    """Whether each statement is one of Alembic's generic template, an import, a plain value, or a function that nothing calls here."""
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError):
        return False
    names = [name for statement in statements for name, _ in _bound(statement)]
    if len(names) != len(set(names)) or not all(
        _is_theirs(name, origin) for s in statements for name, origin in _bound(s)
    ):
        return False
    if "fileConfig" in names and not all(map(options.has_section, ("loggers", "handlers", "formatters"))):
        return False
    online = [s for s in statements if isinstance(s, ast.FunctionDef) and s.name == "run_migrations_online"]
    starts = [s for s in statements if ast.unparse(s) in (_START, "run_migrations_online()")]
    rest = [s for s in statements if s not in online and s not in starts]
    return (
        len(online) == len(starts) == 1
        and statements[-1] is starts[0]
        and _connects(online[0])
        and all(map(_is_plain, rest))
    )


def _bound(statement: ast.stmt) -> Iterator[tuple[str, str | None]]:
    """The names that a statement gives a value, each with the module that an import takes it from."""
    if isinstance(statement, ast.Import):
        yield from ((alias.asname or alias.name.partition(".")[0], "") for alias in statement.names)
    elif isinstance(statement, ast.ImportFrom):
        yield from ((alias.asname or alias.name, statement.module or ".") for alias in statement.names)
    elif isinstance(statement, ast.FunctionDef):
        yield statement.name, None
    elif isinstance(statement, ast.Assign):
        yield from ((target.id, None) for target in statement.targets if isinstance(target, ast.Name))


def _is_theirs(name: str, origin: str | None) -> bool:
    return name != "*" and (name not in _ORIGINS or origin == _ORIGINS[name])


def _is_plain(statement: ast.stmt) -> bool:
    """Whether a statement of the module has no effect on where the database is."""
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
            return True
        case ast.FunctionDef():
            return not statement.decorator_list and not _calls(statement.args)
        case ast.If(test=test, body=[ast.Expr() as only], orelse=[]):
            asked = ast.unparse(test) == "config.config_file_name is not None"
            return asked and _CONFIGURES_LOGGING.fullmatch(ast.unparse(only)) is not None
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return ast.unparse(value) == "context.config" if name == "config" else not _calls(value)
    return _CONFIGURES_LOGGING.fullmatch(ast.unparse(statement)) is not None


def _connects(function: ast.FunctionDef) -> bool:
    """Whether the function makes the template's engine, and hands a connection to `migrator.run` with harmless options."""
    body = [s for s in function.body if not isinstance(s, ast.Expr | ast.FunctionDef) or not _is_plain(s)]
    match body:
        case [ast.Assign() as engine, ast.With(items=[item], body=[ast.Expr(value=ast.Call() as call)])]:
            return (
                not function.decorator_list
                and _CONNECT.fullmatch(ast.unparse(engine)) is not None
                and ast.unparse(item) == "connectable.connect() as connection"
                and ast.unparse(call.func) in ("migrator.run", "run")
                and [ast.unparse(argument) for argument in call.args] == ["connection"]
                and all(word.arg in _HARMLESS and not _calls(word.value) for word in call.keywords)
            )
    return False


def _calls(node: ast.AST) -> bool:
    """Whether evaluating it would call something; making a `MetaData` is as good as a constant."""
    calls = [each for each in ast.walk(node) if isinstance(each, ast.Call | ast.Await | ast.NamedExpr)]
    return not all(
        isinstance(each, ast.Call) and ast.unparse(each.func).rpartition(".")[2] == "MetaData" for each in calls
    )
