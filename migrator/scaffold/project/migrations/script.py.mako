<%!
    import re

    def docstring(message):
        return message.replace("\\", "\\\\").replace('"' * 3, "'" * 3).rstrip(".")

    def operations(text):
        lines = (text or "").splitlines()
        return "\n".join(lines).strip() if any(not line.strip().startswith(("#", "pass")) for line in lines) else "pass"

    def literal(value):
        return repr(value).replace("'", '"')
%>\
<%
    # A merge has no operations, and those of a file to be written by hand are only comments.
    up, down = (operations(context.get(name)) for name in ("upgrades", "downgrades"))
    body = f"{up}\n{down}"
    used = {name for name in ("op", "sa", "types") if re.search(rf"(?<![\w.]){name}\.", body)}
    # A file to be written by hand gets every import that it may need.
    wanted = used or {"op", "sa", "types"}
    noqa = "" if used else "  # noqa: F401"
%>\
"""${docstring(message)}."""

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

revision = ${literal(up_revision)}
down_revision = ${literal(down_revision)}
% if branch_labels:
branch_labels = ${literal(branch_labels)}
% endif
% if depends_on:
depends_on = ${literal(depends_on)}
% endif


def upgrade() -> None:
    ${up}


def downgrade() -> None:
    ${down}
