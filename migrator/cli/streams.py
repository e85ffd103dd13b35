"""Standard output and standard error, so that what cannot be written ends no run and is not forgotten.

A report may meet a closed output, a full disk, a reader who has gone, or a terminal that knows fewer characters.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class Stream:
    """A text stream whose `write` and `flush` raise nothing. `lost` is why something was not written, None as long as all was."""

    def __init__(self, stream: TextIO | None, number: int) -> None:
        """Write to `stream`; None is one that was closed before the program began, and `number` is its file descriptor."""
        self.lost: Exception | None = None
        self._stream = stream
        if stream is None:
            self._lose(OSError("it is closed"), number)

    @property
    def encoding(self) -> str:
        """The encoding that its characters have to fit in."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        """Return whether a person reads it."""
        try:
            return self._stream is not None and self._stream.isatty()
        except ValueError:  # somebody has closed it
            return False

    def write(self, text: str) -> int:
        """Write a text, with escapes for the characters that the encoding lacks, unless something was lost before."""
        if self._stream is not None and self.lost is None:
            try:
                self._stream.write(self._fitting(text))
            except (OSError, ValueError) as trouble:  # a ValueError where somebody has closed it meanwhile
                self._lose(trouble)
        return len(text)

    def flush(self) -> None:
        """Bring out what was written."""
        if self._stream is not None and self.lost is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as trouble:
                self._lose(trouble)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _fitting(self, text: str) -> str:
        try:
            text.encode(self.encoding)
        except UnicodeEncodeError:
            return text.encode(self.encoding, "backslashreplace").decode(self.encoding)
        return text

    def _lose(self, trouble: Exception, number: int | None = None) -> None:
        """Let what is left go nowhere: Python flushes once more at its end, and a file opened later must not get the free number."""
        self.lost = trouble
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_RDWR)
            target = self._stream.fileno() if self._stream is not None else number
            if target is not None and nowhere != target:
                os.dup2(nowhere, target)
                os.close(nowhere)


@contextmanager
def safe() -> Iterator[Stream]:
    """Put such streams in the place of `sys.stdout` and `sys.stderr` for the block; yields the one of standard output."""
    before = sys.stdout, sys.stderr
    out = Stream(sys.stdout, 1)
    sys.stdout, sys.stderr = out, Stream(sys.stderr, 2)
    try:
        yield out
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before
