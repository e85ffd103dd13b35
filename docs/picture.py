"""Draw docs/picture.svg from a real run: one revision, once with stock Alembic and once with this engine.

    python docs/picture.py

Both projects come from `alembic init`, with an application that switches foreign keys on, as SQLAlchemy's manual shows. The second one
has the lines changed that the README shows as a diff. What the terminals show was printed by the programs; it holds no time and no path.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from alembic import command
from alembic.config import Config

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "picture.svg"

CHILDREN = 10_000
COUNT, UPGRADE, ASK, AT = "python count.py", "alembic upgrade head", "echo $?", "alembic current"
COMMANDS = (COUNT, UPGRADE, ASK, AT, COUNT)
CHANGE = """\
with op.batch_alter_table("users") as batch:
    batch.alter_column("name", type_=sa.String(200))
"""
_FIRST = f'''\
"""Create users and messages."""

import sqlalchemy as sa
from alembic import op

revision = "001"
down_revision = None


def upgrade() -> None:
    op.create_table("users", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(50)))
    op.create_table(
        "messages",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id", ondelete="CASCADE")),
    )
    op.execute("INSERT INTO users (id, name) VALUES (1, 'Ada'), (2, 'Grace')")
    op.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {CHILDREN}) "
        "INSERT INTO messages (id, user_id) SELECT i, 1 + i % 2 FROM n"
    )


def downgrade() -> None:
    op.drop_table("messages")
    op.drop_table("users")
'''
_SECOND = f'''\
"""Allow longer names."""

import sqlalchemy as sa
from alembic import op

revision = "002"
down_revision = "001"


def upgrade() -> None:
    {CHANGE.replace(chr(10), chr(10) + "    ").rstrip()}


def downgrade() -> None:
    with op.batch_alter_table("users") as batch:
        batch.alter_column("name", type_=sa.String(50))
'''
# What an application has: https://docs.sqlalchemy.org/en/21/dialects/sqlite.html#foreign-key-support
_APPLICATION = """\
from sqlalchemy import event
from sqlalchemy.engine import Engine


@event.listens_for(Engine, "connect")
def set_sqlite_pragma(connection, record):
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
"""
_COUNT = """\
import sqlite3

connection = sqlite3.connect("app.db")
for table in ("users", "messages"):
    (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    print(f"{table:<9}{rows:>7,}")
"""


@dataclass(frozen=True)
class Session:
    """What a terminal showed: each command with its output."""

    title: str
    turns: tuple[tuple[str, str], ...]

    @property
    def rows(self) -> tuple[int, int]:
        """How many child rows there were before and after."""
        before, *_, after = (output for typed, output in self.turns if typed == COUNT)
        return _messages(before), _messages(after)

    @property
    def code(self) -> int:
        """The exit code of the upgrade."""
        return next(int(output) for typed, output in self.turns if typed == ASK)


def sessions(folder: Path) -> tuple[Session, Session]:
    """Make both projects in `folder` and migrate them; return what their terminals show."""
    return (
        _session(folder / "stock", "Stock Alembic"),
        _session(folder / "engine", "With this engine (three lines changed)", changed=True),
    )


def _session(folder: Path, title: str, *, changed: bool = False) -> Session:
    folder.mkdir()
    with redirect_stdout(io.StringIO()):
        command.init(Config(str(folder / "alembic.ini")), str(folder / "migrations"))
    (folder / "app.py").write_text(_APPLICATION)
    (folder / "count.py").write_text(_COUNT)
    ini, env = folder / "alembic.ini", folder / "migrations" / "env.py"
    text = re.sub(r"(?m)^sqlalchemy\.url = .*$", "sqlalchemy.url = sqlite:///app.db", ini.read_text())
    ini.write_text(text.replace("level = INFO", "level = WARNING"))  # Alembic's lines of progress are too long to draw
    if changed:
        shutil.copytree(ROOT / "migrator", folder / "migrator", ignore=shutil.ignore_patterns("__pycache__"))
        env.write_text(applied(env.read_text()))
    env.write_text(
        env.read_text().replace("from alembic import context\n", "from alembic import context\nimport app\n")
    )
    for name, text in (("001_users", _FIRST), ("002_longer_names", _SECOND)):
        (folder / "migrations" / "versions" / f"{name}.py").write_text(text)
    _run(folder, "alembic upgrade 001")
    # One shell, so that `echo $?` answers for the command before it; a line of its own keeps the outputs apart.
    outputs = _run(folder, "\necho ---\n".join(COMMANDS)).split("---\n")
    return Session(title, tuple(zip(COMMANDS, outputs, strict=True)))


def applied(env: str) -> str:
    """Return an env.py with the lines changed that the README shows."""
    diff = re.search(r"(?ms)^```diff\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert diff is not None
    for part in diff[1].split("@@\n"):
        lines = part.splitlines(keepends=True)
        before, after = ("".join(line[1:] for line in lines if line[0] in f" {sign}") for sign in "-+")
        assert env.count(before) == 1, before
        env = env.replace(before, after)
    return env


def _run(folder: Path, script: str) -> str:
    """Run shell lines in the folder; return what they print, on both outputs, in its order."""
    path = os.pathsep.join((str(Path(sys.executable).parent), sysconfig.get_path("scripts"), os.environ["PATH"]))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MIGRAT", "DATABASE_URL"))}
    environment = {**kept, "PATH": path, "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def _messages(output: str) -> int:
    found = re.search(r"messages +([\d,]+)", output)
    assert found is not None, output
    return int(found[1].replace(",", ""))


# The drawing. One dark card, because a picture in a README cannot know which theme the page has.
_WIDTH, _MARGIN, _GAP = 980, 22, 18
_SIZE, _LINE, _PAUSE, _COLUMNS = 14, 20, 6, 50
_PANE = (_WIDTH - 2 * _MARGIN - _GAP) / 2
_FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"
_STYLE = f"""\
text{{font-family:{_FONT};font-size:{_SIZE}px;fill:#c9d1d9;white-space:pre}}
.head{{font-size:14px;fill:#8b949e}}.code{{fill:#a5d6ff}}.title{{fill:#8b949e}}.typed{{fill:#f0f6fc;font-weight:bold}}
.prompt{{fill:#3fb950}}.lost{{fill:#ff7b72;font-weight:bold}}.kept{{fill:#56d364;font-weight:bold}}
.verdict{{font-size:16px;font-weight:bold}}
"""


def drawn(left: Session, right: Session) -> str:
    """Return the SVG of two terminals next to each other; the same sessions always give the same text."""
    change = CHANGE.rstrip().splitlines()
    top = _MARGIN + 32 + len(change) * _LINE + 10
    height = 42 + len(COMMANDS) * _PAUSE + max(len(_lines(session)) for session in (left, right)) * _LINE + 50
    bottom = top + height + _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom:g}" width="{_WIDTH}" height="{bottom:g}" role="img">',
        f"<title>{escape(_said(left))} {escape(_said(right))}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect x="0.5" y="0.5" width="{_WIDTH - 1}" height="{bottom - 1:g}" rx="12" fill="#0d1117" stroke="#30363d"/>',
        _text(
            _MARGIN,
            _MARGIN + 12,
            f"The same revision, on SQLite with foreign keys on and {CHILDREN:,} messages ON DELETE CASCADE:",
            "head",
        ),
        *(_text(_MARGIN + 14, _MARGIN + 40 + i * _LINE, line, "code") for i, line in enumerate(change)),
        *_pane(left, _MARGIN, top, height),
        *_pane(right, _MARGIN + _PANE + _GAP, top, height),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _said(session: Session) -> str:
    before, after = session.rows
    fate = f"{before - after:,} child rows deleted" if after < before else f"all {after:,} child rows kept"
    return f"{session.title}: {fate}, exit code {session.code}."


def _pane(session: Session, x: float, y: float, height: float) -> list[str]:
    before, after = session.rows
    kind = "lost" if after < before else "kept"
    colour = {"lost": "#ff7b72", "kept": "#56d364"}[kind]
    fate = f"{before - after:,} rows deleted" if after < before else f"{after:,} rows kept"
    parts = [
        f'<rect x="{x:g}" y="{y:g}" width="{_PANE:g}" height="{height:g}" rx="8" fill="#161b22" stroke="{colour}" stroke-opacity="0.6"/>',
        f'<line x1="{x:g}" y1="{y + 28:g}" x2="{x + _PANE:g}" y2="{y + 28:g}" stroke="#30363d"/>',
        *(
            f'<circle cx="{x + 16 + 14 * i:g}" cy="{y + 14:g}" r="4.5" fill="{fill}"/>'
            for i, fill in enumerate(("#ff5f56", "#ffbd2e", "#27c93f"))
        ),
        _text(x + 66, y + 18, session.title, "title"),
    ]
    line = y + 28 + 18
    for kind_of_line, text in _lines(session):
        if kind_of_line == "typed":
            line += _PAUSE
            parts.append(_text(x + 12, line, "$", "prompt"))
            parts.append(_text(x + 29, line, text, "typed"))
        else:
            parts.append(_text(x + 12, line, text, kind_of_line))
        line += _LINE
    parts.append(
        f'<text x="{x + _PANE / 2:g}" y="{y + height - 18:g}" text-anchor="middle" class="verdict {kind}">'
        f"{fate}, exit code {session.code}</text>"
    )
    return parts


def _lines(session: Session) -> list[tuple[str, str]]:
    """Each line with its class; a long one is broken where a terminal of that width breaks it."""
    found: list[tuple[str, str]] = []
    before, after = session.rows
    for number, (typed, output) in enumerate(session.turns):
        found.append(("typed", typed))
        for line in output.splitlines():
            last = number == len(session.turns) - 1 and "messages" in line
            kind = ("kept" if after == before else "lost") if last else ""
            found += [(kind, line[at : at + _COLUMNS]) for at in range(0, len(line), _COLUMNS)]
    return found


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    attribute = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}"{attribute} xml:space="preserve">{escape(text)}</text>'


def main() -> None:
    """Run both projects in a temporary folder and write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        PICTURE.write_text(drawn(*sessions(Path(folder))), encoding="utf-8")


if __name__ == "__main__":
    main()
