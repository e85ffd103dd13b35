"""`--sql`: what is printed is what would be done, and it runs without us."""

import sqlite3
import sys

import psycopg2
import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from migrator import HistoryError, Migrator
from tests.kit import CONFIG
from tests.kit.assertions import assert_refused, assert_says
from tests.kit.database import tables
from tests.kit.processes import Project
from tests.kit.shape import Table, read_shape

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


def at(url: str) -> tuple[str, ...]:
    return Migrator(CONFIG, database_url=url).current()


def shape(url: str) -> dict[str, Table]:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        return read_shape(connection)


def run_sql(url: str, script: str) -> None:
    """Run a script as a person would: through the driver alone."""
    if url.startswith("sqlite"):
        with sqlite3.connect(str(make_url(url).database)) as database:
            database.executescript(script)
        database.close()
        return
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    connection.autocommit = True
    connection.cursor().execute(script)
    connection.close()


def test_the_sql_of_an_upgrade_makes_the_schema_that_an_upgrade_makes(project: Project, database_url: str) -> None:
    dialect = "sqlite://" if database_url.startswith("sqlite") else NOWHERE
    up = project.migrate("upgrade", "--sql", url=dialect)
    assert (up.code, up.stderr) == (0, "")
    assert ("UUID" in up.stdout, "VARCHAR(36)" in up.stdout) == (dialect == NOWHERE, dialect != NOWHERE)
    assert project.alembic("upgrade", "base:head", "--sql", url=dialect).stdout == up.stdout
    run_sql(database_url, up.stdout)
    assert at(database_url) == ("012",)
    offline = shape(database_url)
    halves = [
        project.migrate("downgrade", "head:004", "--sql", url=dialect),
        project.migrate("upgrade", "004:head", "--sql", url=dialect),
    ]
    for half in halves:
        run_sql(database_url, half.stdout)
    assert shape(database_url) == offline
    run_sql(database_url, project.migrate("downgrade", "head:base", "--sql", url=dialect).stdout)
    assert tables(database_url) - {"sqlite_sequence"} == {"alembic_version"}
    Migrator(CONFIG, database_url=database_url).upgrade()
    assert shape(database_url) == offline


def test_the_sql_of_a_stamp_stamps(project: Project, database_url: str) -> None:
    run_sql(database_url, project.migrate("stamp", "005", "--sql", url=database_url).stdout)
    assert at(database_url) == ("005",)


def test_a_range_is_two_revisions_and_goes_with_sql(project: Project) -> None:
    assert "Running upgrade 010 -> 011" in project.migrate("upgrade", "010:+1", "--sql", url=NOWHERE).stdout
    assert_refused(project.migrate("downgrade", "--sql", url=NOWHERE), "range-needed", "needs a range")
    assert_refused(project.migrate("upgrade", "001:002", url=NOWHERE), "range-without-sql", "together with --sql")
    for asked in ("001:", ":002", "1:2:3", ""):
        with pytest.raises(HistoryError) as refused:
            Migrator(CONFIG, database_url=NOWHERE).sql("upgrade", asked)
        assert_says(str(refused.value), "range-invalid", repr(asked))


def test_a_reader_that_has_seen_enough_is_no_error(project: Project) -> None:
    pipe = f"{{ {sys.executable} migrate.py upgrade --sql; echo code $? >&2; }} | head -n 1"
    done = project.run("sh", "-c", pipe, url=NOWHERE)
    assert (done.stdout, done.stderr) == ("BEGIN;\n", "code 0\n")
