"""Revision files: ids are hashes, and a file is called after its id and its message, as `alembic revision` does it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from tests.foreign.helpdesk.changes import Change

_FILE = '''"""{message}

Revision ID: {revision}
Revises: {revises}
Create Date: 2023-04-05 06:07:08.123456

"""
import json

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = {revision!r}
down_revision = {parents!r}
branch_labels = {labels!r}
depends_on = {depends!r}


def upgrade():
{up}


def downgrade():
{down}
'''


@dataclass(frozen=True)
class Revision:
    """One file; parents and dependencies are named by their messages."""

    message: str
    changes: tuple[Change, ...]
    after: tuple[str, ...]
    label: str | None = None
    depends_on: str | None = None

    def write(self, folder: Path) -> None:
        """Write the file."""
        id_, parents = identify(self.message), tuple(map(identify, self.after))
        up = "\n\n".join(change.up for change in self.changes) or "pass"
        down = "\n\n".join(change.down for change in reversed(self.changes)) or "pass"
        text = _FILE.format(
            message=self.message,
            revision=id_,
            revises=", ".join(parents),
            parents=parents if len(parents) > 1 else (*parents, None)[0],
            labels=(self.label,) if self.label else None,
            depends=self.depends_on and identify(self.depends_on),
            up=indent(up, "    "),
            down=indent(down, "    "),
        )
        (folder / f"{id_}_{'_'.join(self.message.split())[:40]}.py").write_text(text)


def identify(message: str) -> str:
    """The id of the revision with this message."""
    return hashlib.sha256(message.encode()).hexdigest()[:12]


def line(*steps: tuple[str, Change] | tuple[str, Change, Change], after: Sequence[str] = ()) -> tuple[Revision, ...]:
    """Revisions one after the other, the first of them after those named."""
    found: list[Revision] = []
    for message, *changes in steps:
        parents = (found[-1].message,) if found else tuple(after)
        found.append(Revision(message, tuple(changes), parents))
    return tuple(found)


def merge(message: str, *parents: str) -> tuple[Revision]:
    """What `alembic merge` writes."""
    return (Revision(message, (), parents),)
