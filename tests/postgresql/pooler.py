"""A pooler in front of PostgreSQL, of the tests' own: it speaks as much of the protocol as it has to.

`transaction` mode gives a client a server connection at the begin of a transaction and takes it away at its end, as pgbouncer and its kind
do; `session` mode gives each client one of its own. https://www.postgresql.org/docs/current/protocol-flow.html
"""

import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from sqlalchemy import make_url

_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102
_ANSWERED = (b"Q", b"S", b"F")
"""The messages of a client that the server answers with ReadyForQuery: Query, Sync, FunctionCall."""

Order = Callable[[Sequence["Backend"]], int]
ORDERS: dict[str, Order] = {
    "last in, first out": lambda idle: len(idle) - 1,
    "round robin": lambda idle: 0,
    "random": lambda idle: random.randrange(len(idle)),
}
"""Which of the idle server connections the next transaction gets; one that becomes idle is put at the end."""


@dataclass
class Backend:
    """One connection to the server, with what the server said when it began."""

    connection: socket.socket
    greeting: bytes


@dataclass
class Proxy:
    """`size` server connections for each database are shared by the clients; when it is 0 there is one for each client."""

    server: tuple[str, int]
    database: str
    user: str
    size: int
    order: Order
    listed: bool = False
    """Whether other databases than that one are unknown here."""
    _idle: dict[str, list[Backend]] = field(default_factory=dict)
    _change: threading.Condition = field(default_factory=threading.Condition)

    def serve(self, client: socket.socket) -> None:
        """Serve one client until it goes."""
        with client, suppress(ConnectionError):
            _undelayed(client)
            wanted = _startup(client)
            if not self.size and wanted:
                self._serve_session(client)
            elif "options" in wanted:
                client.sendall(_fatal("unsupported startup parameter: options"))
            elif self.listed and wanted and wanted["database"] != self.database:
                client.sendall(_fatal(f"no such database: {wanted['database']}"))
            elif wanted:
                self._serve_transactions(client, wanted["database"])

    def _serve_session(self, client: socket.socket) -> None:
        backend = self._connect(self.database)
        with backend.connection:
            client.sendall(backend.greeting)
            while message := message_of(client):
                exchange(client, backend.connection, message)

    def _serve_transactions(self, client: socket.socket, database: str) -> None:
        backend = self._take(database)
        client.sendall(backend.greeting)
        self._give(database, backend)
        while message := message_of(client):
            backend = self._take(database)
            try:
                while exchange(client, backend.connection, message) != b"I":
                    message = message_of(client)
            finally:
                self._give(database, backend)

    def open(self) -> None:
        if self.size:
            self._give(self.database, self._take(self.database))

    def close(self) -> None:
        for idle in self._idle.values():
            for backend in idle:
                backend.connection.close()

    def _take(self, database: str) -> Backend:
        with self._change:
            if database not in self._idle:
                self._idle[database] = [self._connect(database) for _ in range(self.size)]
            idle = self._idle[database]
            self._change.wait_for(lambda: idle)
            return idle.pop(self.order(idle))

    def _give(self, database: str, backend: Backend) -> None:
        with self._change:
            self._idle[database].append(backend)
            self._change.notify_all()

    def _connect(self, database: str) -> Backend:
        connection = socket.create_connection(self.server)
        try:
            return self._greeted(connection, database)
        except BaseException:
            connection.close()
            raise

    def _greeted(self, connection: socket.socket, database: str) -> Backend:
        _undelayed(connection)
        options = f"user\0{self.user}\0database\0{database}\0\0".encode()
        connection.sendall(struct.pack("!ii", len(options) + 8, 196608) + options)
        greeting = b""
        while (message := message_of(connection))[:1] != b"Z":
            assert message[:1] in (b"R", b"S", b"K", b"N"), message
            greeting += message
        return Backend(connection, greeting + message)


@contextmanager
def pooler(url: str, *, size: int, order: str = "last in, first out", listed: bool = False) -> Iterator[str]:
    """The URL of the same database behind a transaction pooler of that size; 0 is one that keeps sessions."""
    with serving(Proxy(*endpoint(url), size, ORDERS[order], listed), url) as there:
        yield there


def endpoint(url: str) -> tuple[tuple[str, int], str, str]:
    """What a proxy has to know of the server: its address, the database, the user."""
    target = make_url(url)
    assert target.database is not None
    return (target.host or "127.0.0.1", target.port or 5432), target.database, target.username or ""


@contextmanager
def serving(proxy: Proxy, url: str) -> Iterator[str]:
    """The URL of the same database behind a proxy, which serves as long as the block lasts."""
    proxy.open()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, proxy), daemon=True)
        thread.start()
        try:
            port = listener.getsockname()[1]
            there = make_url(url).set(host="127.0.0.1", port=port, query={"sslmode": "disable"})
            yield there.render_as_string(hide_password=False)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            proxy.close()


def _accept(listener: socket.socket, proxy: Proxy) -> None:
    with suppress(OSError):  # the listener is closed
        while True:
            client, _ = listener.accept()
            threading.Thread(target=proxy.serve, args=(client,), daemon=True).start()


def _startup(client: socket.socket) -> dict[str, str]:
    """Read a client's first packets, and return what it asks for; nothing when it only came to cancel something."""
    while True:
        length = struct.unpack("!i", _exactly(client, 4))[0]
        packet = _exactly(client, length - 4)
        kind = struct.unpack("!i", packet[:4])[0]
        if kind in (_SSL, _GSS):
            client.sendall(b"N")
        elif kind == _CANCEL:
            return {}
        else:
            words = packet[4:].decode().split("\0")
            return dict(zip(words[::2], words[1::2], strict=False))


def _fatal(text: str) -> bytes:
    fields = f"SFATAL\0C08P01\0M{text}\0\0".encode()
    return b"E" + struct.pack("!i", len(fields) + 4) + fields


def exchange(client: socket.socket, server: socket.socket, message: bytes) -> bytes:
    """Hand on one message of the client and all that answers it; return the transaction's state after it, I for none."""
    server.sendall(message)
    while message[:1] not in _ANSWERED:
        message = message_of(client)
        if not message:
            raise ConnectionResetError
        server.sendall(message)
    while True:
        answer = message_of(server)
        client.sendall(answer)
        if answer[:1] == b"Z":
            return answer[5:6]


def _undelayed(peer: socket.socket) -> None:
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def message_of(peer: socket.socket) -> bytes:
    """One message, type and length included; empty when the peer takes its leave or is gone."""
    kind = peer.recv(1)
    if kind in (b"", b"X"):
        return b""
    length = _exactly(peer, 4)
    return kind + length + _exactly(peer, struct.unpack("!i", length)[0] - 4)


def _exactly(peer: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = peer.recv(count - len(data))
        if not part:
            raise ConnectionResetError
        data += part
    return data
