"""Every text an error can have, keyed by its stable code; each has an anchor of its own in docs/errors.md.

`{cli}` in a text is the program that the user typed.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from migrator.messages import adoption, files, runs, settings
from migrator.messages.message import Message

CATALOGUE: dict[str, Message] = {**settings.TEXTS, **files.TEXTS, **runs.TEXTS, **adoption.TEXTS}


def render(code: str, fields: Mapping[str, Any]) -> str:
    """Return the whole text of an error: fact, consequence, remedy, and where docs/errors.md says more."""
    values = {"cli": program(), **fields}
    fact, consequence, remedy = (part.format(**values) for part in CATALOGUE[code])
    return f"{fact}\n{consequence}\n{remedy}\n(docs/errors.md#{code})"


def program() -> str:
    """Return what to type in front of a command: what the user typed to get here."""
    name = Path(sys.argv[0]).stem
    return name if name in ("alembic", "migrator") else "python migrate.py"
