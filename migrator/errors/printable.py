"""Text that came from a database or from another program, as a person may see it: nothing in it moves the cursor, hides or reorders.

Loads nothing else, because every command prints.
"""

import logging


def printable(text: str, *, lines: bool = False) -> str:
    r"""Return the text with every character that has no shape of its own escaped, as Python writes it (`\x1b`, `\u202e`).

    That is what `str.isprintable()` says: control, bidirectional and zero-width characters. With `lines`, line ends stay.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or (lines and one == "\n") else _escaped(one) for one in text)


class Printable(logging.Filter):
    """Escapes what a message of the log was given: ids, users and SQL come from the database. Numbers stay numbers."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through."""
        if isinstance(record.args, tuple):
            record.args = tuple(one if isinstance(one, int | float) else printable(str(one)) for one in record.args)
        return True


PRINTABLE = Printable()


def _escaped(one: str) -> str:
    return one.encode("unicode_escape").decode("ascii")
