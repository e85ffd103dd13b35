"""What goes wrong in an env.py that connects by itself, before or after it hands the connection to the engine."""

import traceback
from types import FrameType

import sqlalchemy as sa
from alembic.config import Config
from sqlalchemy.engine import Engine
from sqlalchemy.exc import ArgumentError, DBAPIError

from migrator import dialects
from migrator.errors import error
from migrator.errors.tree import MigratorError
from migrator.masking import mask, scrub

_MAKES = ("create_engine", "create_async_engine")
_SOURCE = "alembic.ini or env.py"


def unconnected(raised: Exception, config: Config) -> MigratorError | None:
    """Return the error for an exception that came while env.py made an engine or connected; None for every other. Sends nothing.

    SQLAlchemy hands on whatever the driver raises, so that only the functions it passed through tell.
    """
    for frame, _ in traceback.walk_tb(raised.__traceback__):
        name, module = frame.f_code.co_name, frame.f_globals.get("__name__", "")
        if name in _MAKES and module.startswith("sqlalchemy."):
            return error("url-unusable", source=_SOURCE, reason=_reason(raised, _written(frame, config)))
        if name == "raw_connection" and isinstance(engine := frame.f_locals.get("self"), Engine):
            return _unreachable(raised, engine.url)
    return None


def _written(frame: FrameType, config: Config) -> sa.URL:
    """Return the URL that an engine was to be made for, of which only the secrets are used; one that is none has no known secrets."""
    try:
        return sa.make_url(frame.f_locals.get("url") or config.get_main_option("sqlalchemy.url") or "")
    except (ArgumentError, ValueError):
        return sa.URL.create("unknown")


def _unreachable(raised: Exception, url: sa.URL) -> MigratorError:
    advice = "Read what the driver says."
    reason = _reason(raised, url)
    if isinstance(raised, DBAPIError) and url.get_backend_name() in dialects.NAMES:
        reason, advice = dialects.named(url.get_backend_name()).explain(raised, url)
    return error("database-unreachable", url=mask(url), reason=scrub(reason, url), advice=advice, source=_SOURCE)


def _reason(raised: Exception, url: sa.URL) -> str:
    return scrub(" ".join(str(raised).split()), url)
