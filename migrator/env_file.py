"""The `.env` file next to alembic.ini, which may name the database. Half of one could leave out that line, so a damaged file is refused.

Importing this loads neither dotenv nor anything else of other packages.
"""

import io
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from migrator.errors import error

if TYPE_CHECKING:
    from dotenv.parser import Binding

_LINE_END = re.compile(r"\r\n|\n|\r")


def read(path: Path, names: Collection[str]) -> Mapping[str, str]:
    """Return what the file says of the variables `names`; nothing where there is no file. Reads only.

    Raises SettingsError for what is there and cannot be read, for a line that is no assignment, and for one that begins with one of the
    names and gives it no value. The error has the line's number and never its text, which may hold a password.
    """
    text = _text(path)
    if text is None:
        return {}
    from dotenv.parser import parse_stream

    found: dict[str, str] = {}
    given: set[int] = set()
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            _refuse(path, _line(binding), "it is not NAME=value, or a quote is not closed")
        if binding.key is not None and binding.key in names and binding.value is not None:
            found[binding.key] = binding.value
            given.add(_line(binding))
    for number, line in enumerate(_LINE_END.split(text), start=1):
        if number not in given and (name := _begins_with(line, names)):
            _refuse(path, number, f"it begins with {name} and does not give it a value; write {name}=...")
    return found


def _text(path: Path) -> str | None:
    """The whole file, whatever kind of file it is: a pipe of a password manager, or the empty device that hides it in a container."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if not os.path.lexists(path):
            return None
        raise error("config-unreadable", path=path, reason="It is a link to a file that is not there.") from None
    except IsADirectoryError:
        raise error("config-unreadable", path=path, reason="It is a folder.") from None
    except (OSError, UnicodeDecodeError) as cause:
        raise error("config-unreadable", path=path, reason=" ".join(str(cause).split())) from cause


def _begins_with(line: str, names: Collection[str]) -> str | None:
    """The variable that a line is about, in whatever case and with whatever sign after it."""
    found = re.match(r"\s*(?:export\s+)?['\"]?(\w+)\b", line)
    return next((name for name in names if found and found[1].upper() == name), None)


def _line(binding: "Binding") -> int:
    """Where the binding itself begins; what the parser kept of it begins with the blank lines before it."""
    kept = binding.original.string
    return binding.original.line + len(_LINE_END.findall(kept[: len(kept) - len(kept.lstrip())]))


def _refuse(path: Path, line: int, reason: str) -> NoReturn:
    raise error("config-unreadable", path=path, reason=f"line {line} cannot be used: {reason}.")
