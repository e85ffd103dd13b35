"""What the engine costs: `migrate.py` timed against `alembic` and against the bare driver, side by side in one run.

`alembic` is a project freshly made from Alembic's generic template, with the same revisions and the same metadata;
its env.py is the template's. The bare driver executes the statements that this project executed, one transaction a
revision. Every measurement is a fresh process. The three take turns within a round, and who goes first changes from
round to round, so that a busy machine slows all of them. Only ratios are printed: a time from one machine says
nothing about another.

    python -m benchmarks.cost --rounds 15
"""

import argparse
import io
import os
import pickle
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from alembic import __version__ as alembic_version, command
from alembic.config import Config
from sqlalchemy import make_url

from tests.kit.postgres import server

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ROOT / "migrations" / "versions"
CONTENDERS = ("migrate.py", "alembic", "driver")
# Not to be inherited: what changes the programs' answers, and what would keep their bytecode from being cached.
_SETTINGS = ("DATABASE_URL", "MIGRATION_DATABASE_URL", "ALEMBIC_CONFIG", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
_STEP_ENDS = re.compile(r"\s*(INSERT INTO|UPDATE) alembic_version\b")
_READS = re.compile(r"\s*(SELECT|PRAGMA|SHOW)\b", re.IGNORECASE)

_CAPTURE = """\
import pickle, sys
from alembic.config import main
from sqlalchemy import Engine, event

statements = []

@event.listens_for(Engine, "before_cursor_execute")
def remember(connection, cursor, statement, parameters, context, many):
    # `many` is also true for an INSERT that SQLAlchemy sends as one statement; a dict of its own class would make
    # the driver's process import SQLAlchemy.
    several = isinstance(parameters, list)
    statements.append((statement, parameters if several or isinstance(parameters, tuple) else dict(parameters), several))

main(["upgrade", "head"])
with open(sys.argv[1], "wb") as file:
    pickle.dump(statements, file)
"""

_DRIVER = """\
import pickle, sys
if sys.argv[1] == "sqlite":
    import sqlite3
    connection = sqlite3.connect(sys.argv[2], isolation_level=None)
else:
    import psycopg2
    connection = psycopg2.connect(sys.argv[2])
    connection.autocommit = True
with open(sys.argv[3], "rb") as file:
    steps = pickle.load(file)
cursor = connection.cursor()
for step in steps:
    cursor.execute("BEGIN")
    for statement, parameters, many in step:
        (cursor.executemany if many else cursor.execute)(statement, parameters)
    cursor.execute("COMMIT")
connection.close()
"""

Statement = tuple[str, object, bool]


@dataclass(frozen=True)
class Backend:
    """One kind of database: how to get an empty one, under which URL, and how to be rid of it."""

    name: str
    create: Callable[[], str]
    drop: Callable[[str], None]

    def driver_target(self, url: str) -> str:
        """What the bare driver is given: a path for SQLite, a libpq URI for PostgreSQL."""
        parsed = make_url(url)
        if self.name == "SQLite":
            return parsed.database or ""
        return parsed.set(drivername="postgresql").render_as_string(hide_password=False)

    def applied(self, url: str) -> list[str]:
        """The revisions that the database says it is at."""
        target = self.driver_target(url)
        connection = sqlite3.connect(target) if self.name == "SQLite" else psycopg2.connect(target)
        cursor = connection.cursor()
        cursor.execute("SELECT version_num FROM alembic_version")
        rows = [row[0] for row in cursor.fetchall()]
        connection.close()
        return rows


@dataclass(frozen=True)
class Workshop:
    """The temporary folder: the stock project, and the statements that the bare driver replays."""

    path: Path

    @property
    def stock(self) -> Path:
        return self.path / "stock"

    def make_stock_project(self) -> None:
        """Let Alembic make its own project, and give it our revisions and metadata."""
        self.stock.mkdir()
        with redirect_stdout(io.StringIO()):
            command.init(Config(str(self.stock / "alembic.ini")), str(self.stock / "alembic"))
        env = self.stock / "alembic" / "env.py"
        ours = "from app.models import Base\n\ntarget_metadata = Base.metadata\n"
        env.write_text(env.read_text().replace("target_metadata = None\n", ours))
        shutil.copytree(
            VERSIONS,
            self.stock / "alembic" / "versions",
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        shutil.copy(self.stock / "alembic.ini", self.path / "template.ini")
        (self.path / "capture.py").write_text(_CAPTURE)
        (self.path / "driver.py").write_text(_DRIVER)

    def point_stock_at(self, url: str) -> None:
        """Write the URL where a stock project keeps it."""
        text = (self.path / "template.ini").read_text()
        for name, value in (("prepend_sys_path", str(ROOT)), ("sqlalchemy.url", url)):
            old = re.findall(rf"(?m)^{re.escape(name)} =.*$", text)
            assert len(old) == 1, f"Alembic's template has no single line {name!r}"
            text = text.replace(old[0], f"{name} = {value.replace('%', '%%')}")
        (self.stock / "alembic.ini").write_text(text)

    def capture(self, backend: Backend) -> Path:
        """Record the statements with which the stock project fills an empty database, one list a revision."""
        url, file = backend.create(), self.path / f"{backend.name}.pickle"
        self.point_stock_at(url)
        run([sys.executable, str(self.path / "capture.py"), str(file)], cwd=self.stock)
        backend.drop(url)
        steps: list[list[Statement]] = [[]]
        for statement in pickle.loads(file.read_bytes()):
            if _READS.match(statement[0]):
                continue
            steps[-1].append(statement)
            if _STEP_ENDS.match(statement[0]):
                steps.append([])
        file.write_bytes(pickle.dumps([step for step in steps if step]))
        return file

    def command(self, contender: str, backend: Backend, url: str, replay: Path) -> Callable[[], float]:
        """What to time: the contender's process on the database at `url`."""
        if contender == "migrate.py":
            ours = [sys.executable, str(ROOT / "migrate.py"), "upgrade"]
            return lambda: run(ours, cwd=ROOT, MIGRATION_DATABASE_URL=url)
        if contender == "alembic":
            self.point_stock_at(url)
            return lambda: run([sys.executable, "-m", "alembic", "upgrade", "head"], cwd=self.stock)
        script = [sys.executable, str(self.path / "driver.py")]
        return lambda: run([*script, backend.name.lower(), backend.driver_target(url), str(replay)], cwd=self.path)


def run(arguments: list[str], *, cwd: Path, **settings: str) -> float:
    """Run the command to its end and return the seconds it took; a failure ends the benchmark and shows why."""
    inherited = {name: value for name, value in os.environ.items() if name not in _SETTINGS}
    began = time.perf_counter()
    environment = inherited | settings
    done = subprocess.run(
        arguments, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=300
    )
    took = time.perf_counter() - began
    if done.returncode:
        said = (done.stdout + done.stderr).decode(errors="replace")
        raise SystemExit(f"{' '.join(arguments[1:3])} ended with {done.returncode}:\n{said}")
    return took


def take_turns(rounds: int, timed: Callable[[str], float]) -> dict[str, list[float]]:
    """Time every contender once a round; the first round only warms the caches."""
    took: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for number in range(rounds + 1):
        first = number % len(CONTENDERS)
        for name in CONTENDERS[first:] + CONTENDERS[:first]:
            seconds = timed(name)
            if number:
                took[name].append(seconds)
    return took


def apply_all(workshop: Workshop, backend: Backend, replay: Path, rounds: int) -> dict[str, list[float]]:
    """Every revision on an empty database, a new one each time."""
    reached: dict[str, list[str]] = {}

    def timed(name: str) -> float:
        url = backend.create()
        took = workshop.command(name, backend, url, replay)()
        reached[name] = backend.applied(url)
        backend.drop(url)
        return took

    took = take_turns(rounds, timed)
    assert len({tuple(heads) for heads in reached.values()}) == 1, f"they ended at different revisions: {reached}"
    return took


def nothing_to_do(workshop: Workshop, backend: Backend, replay: Path, rounds: int) -> dict[str, list[float]]:
    """`upgrade` on a database that is at the head already; the driver only asks which revision that is."""
    question = workshop.path / "question.pickle"
    question.write_bytes(pickle.dumps([[("SELECT version_num FROM alembic_version", (), False)]]))
    urls = {name: backend.create() for name in CONTENDERS}
    for name, url in urls.items():
        workshop.command(name, backend, url, replay)()
    took = take_turns(rounds, lambda name: workshop.command(name, backend, urls[name], question)())
    for url in urls.values():
        backend.drop(url)
    return took


def show_help(workshop: Workshop, rounds: int) -> dict[str, list[float]]:
    """`--help`; in the driver's place an interpreter that does nothing."""
    commands = {
        "migrate.py": ([sys.executable, str(ROOT / "migrate.py"), "--help"], ROOT),
        "alembic": ([sys.executable, "-m", "alembic", "--help"], workshop.stock),
        "driver": ([sys.executable, "-c", "pass"], workshop.path),
    }
    return take_turns(rounds, lambda name: run(commands[name][0], cwd=commands[name][1]))


def ratio(took: dict[str, list[float]], other: str) -> str:
    """The median of the rounds' ratios, and between which two values the middle half of them lies."""
    ratios = [ours / theirs for ours, theirs in zip(took["migrate.py"], took[other], strict=True)]
    if len(ratios) == 1:
        return f"{ratios[0]:.2f}"
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


@contextmanager
def backends(folder: Path) -> Iterator[list[Backend]]:
    """SQLite files in `folder`, and the tests' PostgreSQL."""
    numbers = iter(range(10**9))

    def remove(url: str) -> None:
        for file in folder.glob(Path(make_url(url).database or "").name + "*"):
            file.unlink()

    with server() as postgres:
        yield [
            Backend("SQLite", lambda: f"sqlite:///{folder / f'bench{next(numbers)}.db'}", remove),
            Backend("PostgreSQL", postgres.create_database, postgres.drop_database),
        ]


def postgres_version(backend: Backend) -> str:
    """The server's version, as it names itself."""
    url = backend.create()
    connection = psycopg2.connect(backend.driver_target(url))
    version: str = connection.get_parameter_status("server_version") or "?"
    connection.close()
    backend.drop(url)
    return version.split()[0]


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="measurements of each (default: 15)")
    rounds: int = parser.parse_args().rounds
    if rounds < 1:
        parser.error("--rounds takes 1 or more")
    with tempfile.TemporaryDirectory(prefix="cost-") as name, backends(Path(name)) as known:
        workshop = Workshop(Path(name))
        workshop.make_stock_project()
        count = len(list(VERSIONS.glob("[0-9]*.py")))
        print(f"Python {sys.version.split()[0]}, Alembic {alembic_version}", end=", ")
        print(f"SQLite {sqlite3.sqlite_version}, PostgreSQL {postgres_version(known[-1])}; {count} revisions")
        print(f"Time of migrate.py divided by the other's: median of {rounds} rounds (middle half of them)\n")
        print(f"{'':26}{'÷ alembic':22}{'÷ bare driver'}")
        for backend in known:
            replay = workshop.capture(backend)
            for label, case in (("apply all", apply_all), ("nothing to do", nothing_to_do)):
                took = case(workshop, backend, replay, rounds)
                print(f"{backend.name:12}{label:14}{ratio(took, 'alembic'):22}{ratio(took, 'driver')}", flush=True)
        took = show_help(workshop, rounds)
        print(f"{'':12}{'--help':14}{ratio(took, 'alembic'):22}{ratio(took, 'driver')}  (÷ python -c pass)")


if __name__ == "__main__":
    main()
