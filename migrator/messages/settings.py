"""What is wrong with the settings and the database's URL."""

from migrator.messages.message import UNTOUCHED, Message

TEXTS: dict[str, Message] = {
    "config-missing": Message(
        "There is no configuration file at {path}.",
        UNTOUCHED,
        "Name the file:\n  {cli} --config path/to/alembic.ini upgrade",
    ),
    "config-unreadable": Message(
        "The configuration file {path} cannot be read: {reason}",
        UNTOUCHED,
        "Mend the file, then look:\n  {cli} current",
    ),
    "setting-refused": Message(
        "The setting {name} = {value!r} is refused: {reason}.",
        UNTOUCHED,
        "Change it in [migrator] in alembic.ini, in the environment or in the command, then look:\n  {cli} current",
    ),
    "url-empty": Message(
        "The database's URL is empty (from {source}).",
        UNTOUCHED
        + " An empty URL is not taken for the default, so that a missing secret cannot migrate the wrong database.",
        "Give it a value, or unset it:\n  export DATABASE_URL=postgresql://user:password@host/name",
    ),
    "url-invalid": Message(
        "The database's URL cannot be understood (from {source}).",
        UNTOUCHED + " The URL is not shown, it may hold a password.",
        "Write it as one of these, with @ / # % in a password percent-encoded:\n"
        "  export DATABASE_URL=postgresql://user:password@host:5432/name\n  export DATABASE_URL=sqlite:///app.db",
    ),
    "url-unsupported": Message(
        "The database {name!r} is not supported (from {source}); PostgreSQL and SQLite are.",
        UNTOUCHED,
        "Use postgresql:// or sqlite:///:\n  export DATABASE_URL=postgresql://user:password@host:5432/name",
    ),
    "url-driver-missing": Message(
        "The driver {driver!r} is not installed (from {source}).",
        UNTOUCHED,
        "Install it (the extra `postgresql` of this package holds psycopg2):\n  python -m pip install {package}",
    ),
    "package-too-old": Message(
        "The package {package} {version} is too old: the engine needs {least} or later.",
        UNTOUCHED,
        "Install a newer one:\n  python -m pip install '{package}>={least}'",
    ),
    "scaffold-not-empty": Message(
        "The folder {path} is not empty: it contains {found}.",
        UNTOUCHED + " A new project is made in a new or an empty folder only.",
        "Name another folder:\n  {cli} scaffold {path}-new",
    ),
    "url-sqlite-arguments": Message(
        "The SQLite URL has arguments that are only understood together with uri=true: {names}.",
        UNTOUCHED,
        "Write it as a file URI:\n  export 'DATABASE_URL=sqlite:///file:app.db?mode=rw&uri=true'",
    ),
}
