"""One look at a PostgreSQL database, through psycopg2."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from migrator.dialects.look import PLAIN, Look

_PREFIXES = ("postgresql://", "postgres://", "postgresql+psycopg2://")


def look(settings_url: str, root: Path, queries: Sequence[str]) -> Look | None:
    """Return the answers to the queries, None for any URL that is not plain and for whatever PostgreSQL refuses. Reads only.

    `root` is not used: a server has no relative path.
    """
    if not settings_url.startswith(_PREFIXES):
        return None
    try:
        import psycopg2.errors  # type: ignore[import-untyped,unused-ignore]

        parts = urlsplit(settings_url)
        user, host, port, name = parts.username or "", parts.hostname or "", parts.port, parts.path.removeprefix("/")
    except (ImportError, ValueError):
        return None
    if parts.query or parts.fragment or not all(map(PLAIN.fullmatch, (user, host, name))):
        return None
    secret = None if parts.password is None else unquote(parts.password)
    shown = f"{user}{'' if secret is None else ':***'}@{host}{'' if port is None else f':{port}'}/{name}"
    answers: list[Sequence[Any] | None] = []
    try:
        with closing(psycopg2.connect(host=host, port=port, user=user, password=secret, dbname=name)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for query in queries:
                    try:
                        cursor.execute(query)
                        answers.append(cursor.fetchall())
                    except psycopg2.errors.UndefinedTable:
                        answers.append(None)
    except psycopg2.Error:
        return None
    return Look(f"postgresql+psycopg2://{shown}", tuple(answers))
