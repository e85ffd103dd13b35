"""The application's own way to its database: an engine and a session factory."""

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session, sessionmaker

from migrator.url import driver_url

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_URL = "sqlite:///app.db"


def make_engine(url: str | None = None, **options: Any) -> Engine:
    """Return an engine for `url`, else for `DATABASE_URL` (also from .env), else for `app.db` in the project's root.

    Connects to nothing.

    Guarantees that foreign keys are enforced on SQLite, where each connection starts with them off, and that a number
    no JSON document can hold (NaN, infinity) is refused on both databases, as only PostgreSQL would by itself. A
    relative SQLite path is taken from the project's root. `options` go to `sqlalchemy.create_engine`; a URL that cannot
    be used raises `migrator.SettingsError`, which never shows a password.
    """
    configured = {**dotenv_values(ROOT / ".env", interpolate=False), **os.environ}
    text = url if url is not None else configured.get("DATABASE_URL", DEFAULT_URL) or ""
    options.setdefault("json_serializer", partial(json.dumps, allow_nan=False))
    engine = create_engine(driver_url(text, root=ROOT, source="the application's URL"), **options)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _enforce_foreign_keys)
    return engine


def make_sessions(engine: Engine) -> sessionmaker[Session]:
    """Return a factory of sessions on the engine; objects stay readable after a commit."""
    return sessionmaker(engine, expire_on_commit=False)


def _enforce_foreign_keys(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
