"""PostgreSQL behind a connection that breaks during one COMMIT: before the server gets it, or before the client hears of it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import make_url

from tests.postgresql.pooler import ORDERS, Proxy, exchange, message_of

When = Literal["before the server", "before the client"]


@dataclass
class Severing(Proxy):
    """Hands everything on until the COMMIT that follows `mark`; then that connection is gone."""

    mark: bytes = b""
    when: When = "before the client"
    alone: bool = False
    """Whether no connection is accepted afterwards."""
    listener: socket.socket | None = None
    severed: bool = False

    def _serve_session(self, client: socket.socket) -> None:
        if self.severed and self.alone:
            return
        backend, seen = self._connect(), False
        with backend.connection:
            client.sendall(backend.greeting)
            while message := message_of(client):
                seen = seen or self.mark in message
                if seen and message.startswith(b"Q") and b"COMMIT" in message and not self.severed:
                    self.severed = True
                    if self.when == "before the client":
                        backend.connection.sendall(message)
                        while message_of(backend.connection)[:1] != b"Z":
                            pass
                    return
                exchange(client, backend.connection, message)


@contextmanager
def severed(url: str, *, mark: str, when: When, alone: bool) -> Iterator[str]:
    """The URL of the same database behind such a connection."""
    target = make_url(url)
    assert target.database is not None
    server = (target.host or "127.0.0.1", target.port or 5432)
    proxy = Severing(
        server,
        target.database,
        target.username or "",
        0,
        ORDERS["round robin"],
        mark=mark.encode(),
        when=when,
        alone=alone,
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, proxy), daemon=True)
        thread.start()
        try:
            port = listener.getsockname()[1]
            there = target.set(host="127.0.0.1", port=port, query={"sslmode": "disable"})
            yield there.render_as_string(hide_password=False)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _accept(listener: socket.socket, proxy: Proxy) -> None:
    with suppress(OSError):  # the listener is closed
        while True:
            client, _ = listener.accept()
            threading.Thread(target=proxy.serve, args=(client,), daemon=True).start()
