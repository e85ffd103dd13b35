"""More connections to the server that a connection has reached, to its own database or to another one."""

from contextlib import closing
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.pool import NullPool

from migrator.dialects.postgresql.url import synchronous
from migrator.errors import error
from migrator.masking import mask, scrub

# No two servers start in the same microsecond, and every role may ask.
_STARTED = "SELECT extract(epoch FROM pg_postmaster_start_time())::text"
_HERE = f"SELECT current_database(), session_user, ({_STARTED})"


class SameServer:
    """Engines for the server that a connection is connected to, however env.py made that connection."""

    def __init__(self, connection: Connection) -> None:
        """Ask the connection where it is; leaves no transaction open that was not."""
        was_idle = not connection.in_transaction()
        found, self.role, self._started = connection.exec_driver_sql(_HERE).one()
        if was_idle:
            connection.rollback()
        self._url = synchronous(connection.engine.url)
        self._parameters = _parameters(connection.connection.driver_connection)
        self.database: str = (self._parameters or {}).get("dbname") or self._url.database or found
        """The connected database, by the name under which it is reached: a pooler may have one of its own for it."""

    def engine(self, database: str, *, search_path: str | None = None, **options: Any) -> Engine:
        """Return an engine for one of the server's databases; connects to nothing.

        What libpq was told for the first connection it is told again: a password from `connect_args`, a `do_connect` listener or a
        `creator`, and the host that answered. Other drivers are given the engine's URL. Each connection raises DatabaseError
        "scratch-elsewhere" before it is used where it is on another server, and where a URL alone reaches none.
        """
        url: sa.URL = self._url.set(database=database)
        arguments: dict[str, Any] = {}
        if self._parameters is not None:
            url = sa.URL.create(url.drivername, username=url.username, database=database)
            arguments = {**self._parameters, "dbname": database}
        if search_path is not None:
            given = arguments.get("options") or url.query.get("options") or ""
            arguments["options"] = f"{given} -csearch_path={search_path}".strip()
        made = sa.create_engine(url, poolclass=NullPool, connect_args=arguments, **options)
        sa.event.listen(made, "do_connect", self._connect)
        return made

    def _connect(self, dialect: Dialect, _: object, arguments: Any, parameters: Any) -> Any:
        try:
            made: Any = dialect.connect(*arguments, **parameters)
        except dialect.loaded_dbapi.Error as refused:
            if self._parameters is not None or self.database not in parameters.values():
                raise
            reason = scrub(" ".join(str(refused).split()), self._url)
            raise error("scratch-elsewhere", reason=reason, url=mask(self._url)) from refused
        try:
            with closing(made.cursor()) as cursor:
                cursor.execute(_STARTED)
                (started,) = cursor.fetchone()
            made.rollback()
            if started != self._started:
                raise error("scratch-elsewhere", reason="it reaches another server", url=mask(self._url))
        except BaseException:
            made.close()
            raise
        return made


def _parameters(driver_connection: Any) -> dict[str, Any] | None:
    """Return what libpq connected with, with the one host of several that answered; None for a driver that does not tell."""
    info: Any = getattr(driver_connection, "info", None)
    if hasattr(info, "dsn_parameters"):  # psycopg2
        found = dict(info.dsn_parameters)
    elif hasattr(info, "get_parameters"):  # psycopg
        found = dict(info.get_parameters())
    else:
        return None
    if "," in f"{found.get('host', '')}{found.get('hostaddr', '')}":
        found.pop("hostaddr", None)
        found |= {"host": info.host, "port": info.port}
    if info.password:
        found["password"] = info.password
    return {name: value for name, value in found.items() if value != ""}
