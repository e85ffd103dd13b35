"""What one command asked for, and what `Migrator` and a run hand to each other through Alembic's `Config`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic.config import Config
from sqlalchemy.engine import Connection

from migrator.alembic_private import direction_of, environment
from migrator.errors import error
from migrator.errors.progress import consequence
from migrator.masking import mask
from migrator.results import Direction
from migrator.settings import NAMED, Settings
from migrator.url import driver_url

if TYPE_CHECKING:
    from migrator.schema.replay import Replay

REPORT = "migrator.report"
REQUEST = "migrator.request"
SETTINGS = "migrator.settings"
RAN = "migrator.ran"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One command that writes: where to, and what it was allowed to do. Settings say how; a request holds for one run only."""

    direction: Direction
    target: Any = None
    """The revision as it was asked for; a tuple of them for a stamp."""
    purge: bool = False
    """Whether a stamp empties the version table first."""
    verify: bool | None = None
    """Whether a stamp is refused unless the database has the schema of the revision it is stamped with; None is for the settings to say."""
    accept_harmless: bool = False
    """Whether such a stamp goes through when nothing but harmless differences remain."""
    bridge: Path | None = None
    """A file written by `adopt --fix`, run in the stamp's own transaction before the comparison."""
    import_log: bool = False
    """Whether a stamp also copies the history of another migration runner into the log."""
    run_stored: bool = False
    """Whether a downgrade may run the texts that the log keeps of revisions whose files are gone."""
    drop_adopted: bool = False
    """Whether a downgrade may go below the revision at which the database was adopted."""
    replay: "Replay | None" = None
    """What `adopt` has replayed already, so that its stamp need not do it again."""
    rerun_interrupted: bool = False
    """Whether a step that was interrupted, and cannot be resumed, may run again from its start."""


def writes() -> bool:
    """Return whether the Alembic command that is running changes the database: only those have a destination."""
    return "destination_rev" in environment().context_opts


def request_of(settings: Settings) -> Request:
    """Return what the Alembic command that is running asks for: what `Migrator` handed over, else what `alembic` was told.

    `alembic -x no_verify stamp`, `-x drop_adopted downgrade` and `-x rerun_interrupted upgrade` give permissions there.
    """
    env = environment()
    opts, said = env.context_opts, env.get_x_argument()
    given = env.config.attributes.get(REQUEST) or Request(direction=direction_of(opts["fn"]))
    return replace(
        given,
        target=opts["destination_rev"],
        purge=bool(opts.get("purge")),
        verify=(settings.verify_stamp if given.verify is None else given.verify) and "no_verify" not in said,
        run_stored=given.run_stored or settings.run_stored,
        rerun_interrupted=given.rerun_interrupted or "rerun_interrupted" in said,
        drop_adopted=given.drop_adopted or "drop_adopted" in said,
    )


def refuse_another(config: Config, url: str) -> None:
    """Raise DatabaseError "databases-several" where env.py has handed over another database before, for one of our commands that writes.

    Such a command has one report. `alembic` has none, and runs them one after the other.
    """
    ran = config.attributes.get(RAN)
    if ran is None or ran[0] == url or config.attributes.get(REQUEST) is None:
        return
    raise error("databases-several", first=ran[0], second=url, consequence=consequence(ran[1]))


def settings_of(config: Config, connection: Connection | None = None) -> Settings:
    """Return the settings of this run: what `Migrator` handed over, else what alembic.ini and the environment say.

    For an env.py that has made its `connection` itself no URL is looked for. Raises DatabaseError where that is another database than
    the one that an argument of the command names.
    """
    if SETTINGS not in config.attributes:
        ini = Path(config.config_file_name) if config.config_file_name else None
        own = None if connection is None else connection.engine.url.render_as_string(hide_password=False)
        found = Settings.load(ini, section=config.config_ini_section, database_url=own)
        config.attributes[SETTINGS] = found if own is None else replace(found, source="env.py")
    settings: Settings = config.attributes[SETTINGS]
    if connection is not None and settings.source == NAMED and config.attributes.get("connection") is None:
        _check_place(connection, settings)
    return settings


def _check_place(connection: Connection, settings: Settings) -> None:
    asked = driver_url(settings.database_url, root=settings.root, source=settings.source)
    given = connection.engine.url
    found = driver_url(given.render_as_string(hide_password=False), root=settings.root)
    if (asked.get_backend_name(), *asked[3:6]) != (found.get_backend_name(), *found[3:6]):
        raise error("url-not-used", asked=mask(asked), found=mask(given))
