"""What baseline meets in other people's databases: it is written exactly, or refused by name. Never a traceback, never a wrong proof."""

from pathlib import Path

import pytest
from alembic import command

from migrator import HistoryError, Migrator
from tests.kit.database import execute, execute_script, heads, tables
from tests.kit.projects import make_project

ENV = """
import runpy
from pathlib import Path
from migrator import run_env

run_env(runpy.run_path(str(Path(__file__).parents[1] / "models.py"))["Base"].metadata)
"""
NO_MODELS = "from sqlalchemy.orm import DeclarativeBase\n\n\nclass Base(DeclarativeBase):\n    pass\n"
WRITTEN = {
    "postgresql": """
        CREATE TYPE mood AS ENUM ('a');
        CREATE DOMAIN positive AS integer DEFAULT 1 NOT NULL CONSTRAINT above CHECK (VALUE > 0);
        CREATE TYPE pair AS (x integer, y positive);
        CREATE SEQUENCE numbers INCREMENT 2;
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN 'it''s :id\\'; END $$;
        CREATE TABLE things (id integer PRIMARY KEY, moods mood[], span int4range, EXCLUDE USING gist (span WITH &&));
        CREATE FUNCTION later() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM things';
        CREATE UNLOGGED TABLE heap (id integer PRIMARY KEY);
        CREATE TABLE parts (id integer PRIMARY KEY, a text DEFAULT '50%' CHECK (a LIKE '%@%'));
        ALTER TABLE parts ADD b text GENERATED ALWAYS AS (a || '%') STORED;
        CREATE INDEX ix_parts ON parts ((a || '%s')) WHERE a <> '%%';
        ALTER TABLE things ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
        CREATE POLICY mine ON things FOR UPDATE TO PUBLIC USING (id > 1) WITH CHECK (id > 2);
        CREATE POLICY all_of_them ON things AS RESTRICTIVE USING (true);
        CREATE VIEW a AS SELECT id FROM things;
        CREATE VIEW b WITH (security_barrier) AS SELECT id FROM a;
        ALTER VIEW b ALTER id SET DEFAULT 7;
        ALTER TABLE heap REPLICA IDENTITY FULL;
        ALTER TABLE things REPLICA IDENTITY USING INDEX things_pkey;
        CREATE MATERIALIZED VIEW c AS SELECT id FROM b;
        CREATE UNIQUE INDEX ix_c ON c (id);
        CREATE TRIGGER t BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION touch();
        CREATE RULE r AS ON DELETE TO heap DO INSTEAD NOTHING;
    """,
    "sqlite": """
        CREATE TABLE things (id INTEGER PRIMARY KEY AUTOINCREMENT, a MONEY, b UUID DEFAULT (random()));
        CREATE VIRTUAL TABLE found USING fts5(body, content='things', content_rowid='id');
        CREATE VIRTUAL TABLE places USING rtree(id, a, b);
        CREATE VIEW v AS SELECT 1 AS a;
        CREATE TRIGGER t INSTEAD OF INSERT ON v BEGIN SELECT ':a'; END;
    """,
}
REFUSED = {
    "postgresql": {
        "baseline-untyped": (
            "CREATE TYPE pair AS (x integer); CREATE TABLE things (id integer PRIMARY KEY, a xml, b point[], c pair)",
            ["SQLAlchemy has no type for things.a (XML), things.b (POINT[]), things.c (pair),"],
        ),
        "baseline-differs": (
            "CREATE TABLE things (id serial PRIMARY KEY, a serial, b text, c integer REFERENCES things); "
            "CREATE INDEX i ON things (b text_pattern_ops DESC); ALTER TABLE things DISABLE TRIGGER ALL; "
            "CREATE TABLE more (a integer PRIMARY KEY, b integer) PARTITION BY RANGE (a); "
            "ALTER TABLE things ADD CONSTRAINT unproved FOREIGN KEY (a) REFERENCES things NOT VALID",
            [
                "the default of things.a is nextval('things_a_seq'::regclass)",
                "(b text_pattern_ops DESC)",
                "REFERENCES things(id), disabled",
                "REFERENCES things(id) NOT VALID",
                "the table more is not PARTITION BY RANGE (a)",
            ],
        ),
    },
    "sqlite": {
        "baseline-untyped": (
            "CREATE TABLE things (id INTEGER PRIMARY KEY, a, b NOT NULL)",
            ["things.a (no type), things.b (no type)"],
        ),
    },
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project without models and without a revision; the path of its alembic.ini."""
    make_project(tmp_path / "project", [], env=ENV)
    (tmp_path / "project" / "models.py").write_text(NO_MODELS)
    return tmp_path / "project" / "alembic.ini"


def dialect_of(url: str) -> str:
    return url.partition(":")[0].partition("+")[0]


def test_what_can_be_written_makes_the_same_and_check_finds_nothing(
    database_url: str, project: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The proof compares; here a second database is made from the revision, and compared once more by its stamp."""
    execute_script(database_url, WRITTEN[dialect_of(database_url)])
    engine = Migrator(project, database_url=database_url)
    assert "things" in engine.baseline(project.parent / "models.py").tables
    engine.call(command.check)
    assert "%%@" not in (project.parent / "models.py").read_text()
    elsewhere = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    if dialect_of(database_url) == "postgresql":
        elsewhere = request.getfixturevalue("postgres_server").create_database()
    other = Migrator(project, database_url=elsewhere)
    other.upgrade()
    execute(elsewhere, "DELETE FROM alembic_version")
    assert other.stamp("001").after == ("001",)


def test_a_domain_is_refused_too(postgres_url: str, project: Path) -> None:
    execute(postgres_url, "CREATE DOMAIN d AS text", "CREATE TABLE things (id integer PRIMARY KEY, a d)")
    with pytest.raises(HistoryError, match="the models cannot be loaded: NameError") as refused:
        Migrator(project, database_url=postgres_url).baseline(project.parent / "models.py")
    assert refused.value.code == "baseline-differs"


def test_what_cannot_be_written_is_refused_by_name(database_url: str, project: Path) -> None:
    for code, (script, words) in REFUSED[dialect_of(database_url)].items():
        execute_script(database_url, script)
        before = tables(database_url)
        with pytest.raises(HistoryError) as refused:
            Migrator(project, database_url=database_url).baseline(project.parent / "models.py")
        assert refused.value.code == code
        assert [text for text in words if text not in str(refused.value)] == [], refused.value
        assert (tables(database_url), heads(database_url)) == (before, [])
        assert (project.parent / "models.py").read_text() == NO_MODELS
        assert list((project.parent / "migrations/versions").glob("*.py")) == []
        execute(database_url, "DROP TABLE things")
