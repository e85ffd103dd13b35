<%!
    import re

    def docstring(message):
        return message.replace("\\", "\\\\").replace('"' * 3, "'" * 3).rstrip(".")

    def literal(value):
        return repr(value).replace("'", '"')
%>\
<%
    body = f"{upgrades}\n{downgrades}"
    used = {name for name in ("op", "sa", "types") if re.search(rf"(?<![\w.]){name}\.", body)}
    # A file to be written by hand gets every import that it may need.
    wanted = used or {"op", "sa", "types"}
    noqa = "" if used else "  # noqa: F401"
%>\
"""${docstring(message)}."""

from collections.abc import Sequence

% if "sa" in wanted:
import sqlalchemy as sa${noqa}
% endif
from alembic import op${noqa}
% if imports:
${imports}
% endif
% if "types" in wanted:

from migrator import types${noqa}
% endif

revision: str = ${literal(up_revision)}
down_revision: str | Sequence[str] | None = ${literal(down_revision)}
branch_labels: str | Sequence[str] | None = ${literal(branch_labels)}
depends_on: str | Sequence[str] | None = ${literal(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
