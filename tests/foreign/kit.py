"""Somebody's project under the engine and next to it under stock Alembic, each on a database of its own, compared after each command.

A project is a folder of this one, with alembic.ini and an env.py as its authors wrote it. `three_lines` makes an adopted one of it.
"""

import io
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.config import main

from tests.kit import BOOKKEEPING, TESTS
from tests.kit.database import connected
from tests.kit.postgres import Server
from tests.kit.projects import copy_folder
from tests.kit.schema_text import read_catalog
from tests.kit.shape import lines_of, read_shape
from tests.scaffold.templates import Files

_THEIRS = re.compile(
    r"context\.configure\((.*?)\)\s*with context\.begin_transaction\(\):\s*context\.run_migrations\(\)", re.DOTALL
)
_PROJECTS = TESTS / "foreign"
ROW, HERE, STOCK = "row of ", "only here: ", "only stock: "


def three_lines(env: str) -> str:
    """An env.py that calls the engine where it called Alembic, online."""
    calls = list(_THEIRS.finditer(env))
    online = calls[-1]
    env = f"{env[: online.start()]}run({online[1].strip()}){env[online.end() :]}"
    return env.replace("from alembic import context\n", "from alembic import context\nfrom migrator import run\n", 1)


@dataclass(frozen=True)
class Side:
    """One copy of the project and its database."""

    ini: Path
    url: str

    @property
    def folder(self) -> Path:
        return self.ini.parent

    def at(self, url: str) -> "Side":
        """The same files on another database of the kind."""
        ini = self.folder / f"{sa.make_url(url).database}".replace("/", "_")
        ini.write_text(self.ini.read_text().replace(self.url, url))
        return Side(ini, url)

    def write(self, *statements: str) -> None:
        """Execute what the application writes into the database."""
        with connected(self.url) as connection:
            for statement in statements:
                connection.execute(sa.text(statement))

    def alembic(self, *arguments: str) -> None:
        """Run the `alembic` program to its end, in this process; whatever it or the engine raises comes through."""
        with imports_of(self.folder), redirect_stdout(io.StringIO()):
            main(["--raiseerr", "--config", str(self.ini), *arguments])


@contextmanager
def imports_of(folder: Path) -> Iterator[None]:
    """Forget at the end what was imported from the folder: the other side has modules of the same names."""
    before = sys.path[:]
    try:
        yield
    finally:
        sys.path[:] = before
        for name, module in [*sys.modules.items()]:
            if str(getattr(module, "__file__", None)).startswith(f"{folder}/"):
                del sys.modules[name]


@dataclass
class Twins:
    """Both sides."""

    ours: Side
    stock: Side
    schemas: tuple[str, ...] = ("public",)
    lost: Collection[str] = ()
    """What stock Alembic is known to lose or to spoil, as lines of `look` after HERE and STOCK."""
    rows: Collection[str] | None = None
    """Every row that the engine's database has to have, where stock Alembic is known to lose some."""

    def upgrade(self, *revisions: str) -> None:
        """Go up to each revision in turn, and compare there."""
        self._go("upgrade", revisions)

    def downgrade(self, *revisions: str) -> None:
        """Go down to each revision in turn, and compare there."""
        self._go("downgrade", revisions)

    def write(self, *statements: str) -> None:
        """Execute what the application writes into both databases."""
        for side in (self.ours, self.stock):
            side.write(*statements)

    def lose(self, *names: str) -> None:
        """Say which parts of the schema a rebuild of stock Alembic's costs from now on; they are there now."""
        lines = {line for line in look(self.ours.url, self.schemas) if any(name in line for name in names)}
        assert all(any(name in line for line in lines) for name in names)
        self.lost = [HERE + line for line in lines]

    def _go(self, command: str, revisions: tuple[str, ...]) -> None:
        for revision in revisions:
            self.ours.alembic(command, revision)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what stock Alembic loses
                self.stock.alembic(command, revision)
            self.assert_alike(f"{command} {revision}")

    def assert_alike(self, when: str) -> None:
        """Compare schema, rows and version; what stock Alembic is known to lose has to be there."""
        ours, stock = look(self.ours.url, self.schemas), look(self.stock.url, self.schemas)
        if self.rows is not None:
            found = {line for line in ours if line.startswith(ROW)}
            assert sorted(found) == sorted(self.rows), when
            assert found != {line for line in stock if line.startswith(ROW)}, when
            ours, stock = ({line for line in side if not line.startswith(ROW)} for side in (ours, stock))
        found = [*(HERE + line for line in ours - stock), *(STOCK + line for line in stock - ours)]
        assert sorted(found) == sorted(self.lost), "\n".join((when, *found))


@contextmanager
def twins(
    name: str,
    directory: Path,
    host: Server | Files,
    *,
    write: Callable[[Path], None] = lambda folder: None,
    schemas: tuple[str, ...] = ("public",),
    drivers: Mapping[str, str] | None = None,
) -> Iterator[Twins]:
    """Two copies of a project, on two new databases. `write` completes a copy; `drivers` are those of env.py in the place of ours."""
    urls = host.create_database(), host.create_database()
    try:
        ours, stock = (
            project(name, directory / side, url, write=write, stock=side == "stock", drivers=drivers)
            for side, url in zip(("ours", "stock"), urls, strict=True)
        )
        yield Twins(ours, stock, schemas)
    finally:
        for url in urls:
            host.drop_database(url)


def project(
    name: str,
    folder: Path,
    url: str,
    *,
    write: Callable[[Path], None] = lambda folder: None,
    stock: bool = False,
    drivers: Mapping[str, str] | None = None,
) -> Side:
    """One copy of a project; the parameters are those of `twins`, and `stock` leaves env.py as it is."""
    copy_folder(_PROJECTS / name, folder)
    write(folder)
    ini, written = folder / "alembic.ini", sa.make_url(url)
    written = written.set(drivername=(drivers or {}).get(written.drivername, written.drivername))
    there = written.render_as_string(hide_password=False).replace("%", "%%")
    ini.write_text(ini.read_text().replace("driver://user:pass@localhost/dbname", there))
    if not stock:
        [env] = folder.rglob("env.py")
        env.write_text(three_lines(env.read_text()))
    return Side(ini, url)


def look(url: str, schemas: Collection[str] = ("public",)) -> set[str]:
    """The whole schema, every row and the version, a line each; what is Alembic's and the engine's own is left out."""
    with connected(url) as connection:
        inspector = sa.inspect(connection)
        if connection.dialect.name == "sqlite":
            found = {*lines_of(read_shape(connection)), *_texts(connection)}
            names = {None: inspector.get_table_names()}
        else:
            found = {" ".join(row) for row in read_catalog(connection, schemas)}
            names = {schema: inspector.get_table_names(schema) for schema in schemas}
        for schema, tables in names.items():
            for table in {*tables} - {*BOOKKEEPING}:
                found.update(_rows(connection, table, schema))
            if "alembic_version" in tables:
                found.update(_rows(connection, "alembic_version", schema, "at"))
    return found


def _rows(connection: sa.Connection, table: str, schema: str | None, kind: str = ROW) -> Iterator[str]:
    quote = connection.dialect.identifier_preparer.quote
    source = quote(table) if schema is None else f"{quote(schema)}.{quote(table)}"
    found = Counter(repr(_plain(row)) for row in connection.exec_driver_sql(f"SELECT * FROM {source}").mappings())
    for row, times in found.items():
        yield f"{kind}{source.removeprefix('public.')}: {row}" + (f" {times} times" if times > 1 else "")


def _plain(row: Any) -> dict[str, Any]:
    return {name: bytes(value) if isinstance(value, memoryview) else value for name, value in sorted(row.items())}


def _texts(connection: sa.Connection) -> Iterator[str]:
    asked = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE type <> 'table' AND sql IS NOT NULL"
    for kind, name, table, sql in connection.exec_driver_sql(asked):
        if table not in BOOKKEEPING:
            yield f"{kind} {name}: {' '.join(sql.split())}"
