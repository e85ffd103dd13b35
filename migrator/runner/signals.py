"""Ctrl-C and SIGTERM during a run: the statement that runs is cancelled at once, and the step is rolled back.

A driver that waits for its database waits in C, where Python's handlers do not run before the statement ends. Python's wakeup descriptor is
written to nevertheless, and read here by a thread, which cancels the statement; then the handler runs.
https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd
"""

import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_log = logging.getLogger("migrator")
_AGAIN = 0.05  # seconds between two looks, because the statement may begin just after the first
_DEFAULT = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


class Signals:
    """What came while a run worked."""

    def __init__(self, cancel: Callable[[], None]) -> None:
        """Hold what cancels the statement that runs, if one does; it is called from another thread."""
        self.terminated = False
        """Whether SIGTERM came, so that the process has to end when the run has."""
        self._cancel = cancel
        self._handled = threading.Event()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Raise KeyboardInterrupt in the block for both signals, without waiting for a statement's end.

        In the main thread alone, and for a signal that the application left to Python. Afterwards everything is as it was.
        """
        taken = {number: handler for number, handler in _DEFAULT.items() if signal.getsignal(number) == handler}
        if threading.current_thread() is not threading.main_thread() or not taken:
            yield
            return
        reader, writer = socket.socketpair()
        writer.setblocking(False)
        with reader, writer:
            before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
            if before != -1:  # the application reads them itself
                signal.set_wakeup_fd(before)
                yield
                return
            thread = threading.Thread(target=self._watch, args=(reader, taken), name="migrator signals", daemon=True)
            thread.start()
            try:
                for number in taken:
                    signal.signal(number, self._handle)
                yield
            finally:
                for number, handler in taken.items():
                    signal.signal(number, handler)
                signal.set_wakeup_fd(-1)
                self._handled.set()
                writer.shutdown(socket.SHUT_WR)
                thread.join()

    def _watch(self, reader: socket.socket, taken: dict[signal.Signals, Any]) -> None:
        """Cancel from the first signal until its handler has run; what the run then does to end well is not cancelled."""
        while arrived := reader.recv(100):
            if set(arrived) & set(taken):
                try:
                    while not self._handled.is_set():
                        self._cancel()
                        self._handled.wait(_AGAIN)
                except Exception as trouble:  # of the driver's; then the statement goes on to its end
                    _log.warning("The statement that runs could not be cancelled: %s", trouble)
                    return

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._handled.set()
        self.terminated = self.terminated or number == signal.SIGTERM
        raise KeyboardInterrupt
