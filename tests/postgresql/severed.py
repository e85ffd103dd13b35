"""PostgreSQL behind a connection that breaks at one statement, or during the COMMIT after it: before the server gets it or after."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from tests.postgresql.pooler import ORDERS, Proxy, endpoint, exchange, message_of, serving

When = Literal["at the mark", "before the server", "before the client"]


@dataclass
class Severing(Proxy):
    """Hands everything on until `mark`, or the COMMIT that follows it; then that connection is gone."""

    mark: bytes = b""
    when: When = "before the client"
    alone: bool = False
    """Whether no connection is accepted afterwards."""
    severed: bool = False

    def _serve_session(self, client: socket.socket) -> None:
        if self.severed and self.alone:
            return
        backend, seen = self._connect(self.database), False
        with backend.connection:
            client.sendall(backend.greeting)
            while message := message_of(client):
                seen = seen or self.mark in message
                ends = seen and (self.when == "at the mark" or b"COMMIT" in message)
                if ends and message.startswith(b"Q") and not self.severed:
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
    proxy = Severing(*endpoint(url), 0, ORDERS["round robin"], mark=mark.encode(), when=when, alone=alone)
    with serving(proxy, url) as there:
        yield there
