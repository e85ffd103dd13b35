"""What is wrong with the settings, the database's URL, or the packages that are installed."""

from migrator.errors.message import Message
from migrator.errors.tree import SettingsError

TEXTS: dict[str, Message] = {
    "config-missing": Message(
        SettingsError,
        "There is no configuration file at {path}.",
        "Name the file:\n  {cli} --config path/to/alembic.ini upgrade",
    ),
    "config-unreadable": Message(
        SettingsError,
        "The configuration file {path} cannot be read: {reason}",
        "Fix the file, then check:\n  {cli} current",
    ),
    "setting-refused": Message(
        SettingsError,
        "The setting {name} = {value!r} is refused: {reason}.",
        "Change it in [migrator] in alembic.ini, in the environment or in the command, then check:\n  {cli} current",
    ),
    "url-empty": Message(
        SettingsError,
        "The database's URL is empty (from {source}).",
        "Give it a value, or unset it:\n  export DATABASE_URL=postgresql://user:password@host/name",
        "{changed} An empty URL does not mean the default, so that a missing secret cannot migrate the wrong database.",
    ),
    "url-invalid": Message(
        SettingsError,
        "The database's URL cannot be understood (from {source}).",
        "Write it as one of these, with @ / # % in a password percent-encoded:\n"
        "  export DATABASE_URL=postgresql://user:password@host:5432/name\n  export DATABASE_URL=sqlite:///app.db",
        "{changed} The URL is not shown, because it may hold a password.",
    ),
    "url-unusable": Message(
        SettingsError,
        "The database's URL cannot be used: {reason} (from {source}).",
        "Correct it, then check:\n  {cli} current",
        "{changed} The URL is not shown, because it may hold a password.",
    ),
    "url-unsupported": Message(
        SettingsError,
        "The database {name!r} is not supported (from {source}). Supported: {known!c}.",
        "Use postgresql:// or sqlite:///:\n  export DATABASE_URL=postgresql://user:password@host:5432/name",
    ),
    "url-driver-missing": Message(
        SettingsError,
        "The driver {driver!r} is not installed (from {source}).",
        "Install it (the extra `postgresql` of this package holds psycopg2):\n  python -m pip install {package}",
    ),
    "url-sqlite-arguments": Message(
        SettingsError,
        "The SQLite URL has arguments that only work together with uri=true: {names!c}.",
        "Write it as a file URI:\n  export 'DATABASE_URL=sqlite:///file:app.db?mode=rw&uri=true'",
    ),
    "version-too-old": Message(
        SettingsError,
        "The package {package} {version} is too old: the engine needs {least} or later.",
        "Install a newer one:\n  python -m pip install '{package}>={least}'",
    ),
    "scaffold-not-empty": Message(
        SettingsError,
        "The folder {path} is not empty: it contains {found!c}.",
        "Name another folder:\n  {cli} scaffold {path}-new",
        "{changed} A new project is created in a new or an empty folder only.",
    ),
    "folder-gone": Message(
        SettingsError,
        "The current folder has been deleted.",
        "Go to one that exists, then run it again:\n  cd path/to/project && {cli} status",
    ),
    "file-unusable": Message(
        SettingsError,
        "{path} cannot be written or read: {reason}.",
        "Check who may write there and whether the disk is full, then check the database:\n  {cli} current",
    ),
    "baseline-needs-sqlacodegen": Message(
        SettingsError,
        "baseline writes models through sqlacodegen, which is not installed.",
        "Install it, for development only:\n  pip install 'sqlacodegen>=4,<5'",
    ),
}
