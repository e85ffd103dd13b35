"""A database that wants more than to be adopted: nothing in it is run, nothing in it forges an answer, nothing in it ends a command."""

import uuid
from pathlib import Path

import pytest
from sqlalchemy import make_url

from migrator import HistoryError, Migrator, StampRefused
from tests.adopt.legacy_databases import cli
from tests.kit.database import ask, execute, heads, rows, tables
from tests.kit.projects import NAME, creates, miniature, revision_path, upgrading

ANIMALS = creates("animals", NAME)


def test_the_search_path_of_the_database_is_never_run_as_sql(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = miniature(tmp_path / "project", ANIMALS)
    name = make_url(postgres_url).database
    evil = "public,x;create/**/table/**/pwned()"
    execute(
        postgres_url,
        "CREATE TABLE animals (id serial PRIMARY KEY, name text)",
        f"SELECT set_config('search_path', '{evil}', false); ALTER DATABASE \"{name}\" SET search_path FROM CURRENT",
    )
    done = cli(capsys, postgres_url, "adopt", "--dry-run", config=Path(config))
    assert (done.code, "exactly the schema of revision 001" in done.stdout) == (0, True), done
    assert ask(postgres_url, "SELECT to_regclass('public.pwned') IS NULL")


@pytest.mark.parametrize("name", ["x\n    (tmp / 'pwned').touch()\n    #", "total\n(EUR)"], ids=("code", "text"))
def test_the_name_of_a_column_is_no_code_in_a_bridge(sqlite_url: str, tmp_path: Path, name: str) -> None:
    config = miniature(tmp_path / "project", ANIMALS)
    execute(sqlite_url, f'CREATE TABLE animals (id INTEGER NOT NULL PRIMARY KEY, "{name}" INT NOT NULL)')
    engine = Migrator(config, database_url=sqlite_url)
    with pytest.raises(StampRefused) as refused:
        engine.adopt(fix=True)
    assert refused.value.code == "bridge-incomplete"
    path = Path(str(refused.value.fields["path"]))
    compile(path.read_text(), path, "exec")
    assert not [line for line in path.read_text().splitlines() if line.lstrip().startswith(("(EUR)", "(tmp"))]
    with pytest.raises(StampRefused, match="is there and should not be"):
        engine.adopt(bridge=path)


def test_a_bridge_with_a_mistake_is_told(sqlite_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", ANIMALS)
    execute(sqlite_url, "CREATE TABLE animals (id INTEGER NOT NULL PRIMARY KEY)")
    path = tmp_path / "to_001.py"
    for text in ("def upgrade(:\n", "import nowhere\n"):
        path.write_text(text)
        with pytest.raises(HistoryError) as refused:
            Migrator(config, database_url=sqlite_url).adopt(bridge=path)
        assert refused.value.code == "bridge-broken"
        assert str(path) in str(refused.value)
    assert heads(sqlite_url) == []


def test_a_database_ahead_of_the_files_is_not_stamped_backwards(database_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", ANIMALS, upgrading("op.execute('UPDATE animals SET id = id + 100')"))
    engine = Migrator(config, database_url=database_url)
    engine.upgrade("001")
    execute(database_url, "INSERT INTO animals (id) VALUES (1)")
    engine.upgrade()
    newest = revision_path(Path(config), "002")
    text = newest.read_text()
    newest.unlink()
    for work in (engine.adopt, lambda: engine.adopt(dry_run=True), lambda: engine.adopt(upgrade=True)):
        with pytest.raises(HistoryError) as refused:
            work()
        assert refused.value.code == "database-ahead"
    newest.write_text(text)
    assert engine.upgrade().steps == ()
    assert (heads(database_url), rows(database_url, "SELECT id FROM animals")) == (["002"], [101])


@pytest.mark.parametrize(
    "column",
    ["x INTEGER DEFAULT NULL NOT NULL", "x INTEGER NOT NULL", "x VARCHAR(5) DEFAULT (NULL) NOT NULL"],
)
def test_a_column_that_every_insert_has_to_name_is_not_left_alone(
    database_url: str, tmp_path: Path, column: str
) -> None:
    config = miniature(tmp_path / "project", ANIMALS, upgrading("op.execute('INSERT INTO animals (id) VALUES (1)')"))
    Migrator(config, database_url=database_url).upgrade("001")
    execute(database_url, "DROP TABLE migration_log", "DROP TABLE alembic_version", "DROP TABLE animals")
    key = "serial" if database_url.startswith("postgresql") else "INTEGER NOT NULL"
    execute(database_url, f"CREATE TABLE animals (id {key} PRIMARY KEY, name TEXT, {column})")
    with pytest.raises(StampRefused, match=r"animals\.x .* is there and should not be"):
        Migrator(config, database_url=database_url).adopt(upgrade=True)


def test_a_domain_that_takes_no_null_has_to_be_named_too(postgres_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", ANIMALS)
    execute(
        postgres_url,
        "CREATE DOMAIN filled AS integer NOT NULL",
        "CREATE DOMAIN usual AS integer DEFAULT 1 NOT NULL",
        "CREATE TABLE animals (id serial PRIMARY KEY, name text, x filled, y usual)",
    )
    with pytest.raises(StampRefused) as refused:
        Migrator(config, database_url=postgres_url).adopt()
    assert "animals.x (filled) is there" in str(refused.value)
    assert "animals.y" not in str(refused.value)


def test_a_table_of_the_history_may_have_a_runners_name(database_url: str, tmp_path: Path) -> None:
    migrations = creates("schema_migrations", 'sa.Column("version", sa.Text)')
    config = miniature(tmp_path / "project", ANIMALS, migrations)
    engine = Migrator(config, database_url=database_url)
    engine.upgrade()
    found = engine.adopt()
    assert (found.is_there, found.verdict.best.revision, heads(database_url)) == (True, "002", ["002"])


def test_what_other_runners_keep_forges_no_line_and_ends_no_command(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    config = miniature(tmp_path / "project", ANIMALS)
    Migrator(config, database_url=database_url).upgrade()
    execute(
        database_url,
        "DROP TABLE alembic_version",
        "DROP TABLE migration_log",
        'CREATE TABLE "SequelizeMeta" (name VARCHAR(255) PRIMARY KEY)',
        "INSERT INTO \"SequelizeMeta\" VALUES ('x\nStamped 12 revisions in 0.10 s: 012.')",
        "CREATE TABLE knex_migrations (id INTEGER PRIMARY KEY, name VARCHAR(255), migration_time TIMESTAMP)",
        "INSERT INTO knex_migrations VALUES (1, 'old', '0044-03-15 00:00:00 BC')",
        "CREATE TABLE _migrations (id INTEGER PRIMARY KEY, name TEXT)",
    )
    if database_url.startswith("sqlite"):
        execute(database_url, "INSERT INTO _migrations VALUES (1, CAST(x'ff' AS TEXT))")
    done = cli(capsys, database_url, "adopt", "--dry-run", config=Path(config))
    assert done.code == 0, done
    assert not [line for line in done.stdout.splitlines() if line.startswith("Stamped 12")]
    assert "Knex" in done.stdout
    assert ("_migrations of another runner cannot be read" in caplog.text) is database_url.startswith("sqlite")
    assert cli(capsys, database_url, "adopt", config=Path(config)).code == 0


def test_a_runners_table_that_may_not_be_read_is_somebody_elses(postgres_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project", ANIMALS)
    role = f"poor_{uuid.uuid4().hex[:8]}"
    execute(postgres_url, "CREATE TABLE django_migrations (id int, name text)")
    execute(postgres_url, f"CREATE ROLE {role} LOGIN CREATEDB", f"GRANT ALL ON SCHEMA public TO {role}")
    url = make_url(postgres_url).set(username=role).render_as_string(hide_password=False)
    try:
        execute(url, "CREATE TABLE animals (id serial PRIMARY KEY, name text)")
        done = Migrator(config, database_url=url).adopt()
        assert [str(runner) for runner in done.runners] == ["django_migrations of Django, which cannot be read"]
        assert heads(url) == ["001"]
    finally:
        execute(postgres_url, f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")


def test_without_revisions_adopt_leads_to_baseline(database_url: str, tmp_path: Path) -> None:
    config = miniature(tmp_path / "project")
    execute(database_url, "CREATE TABLE animals (id INTEGER PRIMARY KEY)")
    for work in ("dry_run", "fix", "upgrade"):
        with pytest.raises(HistoryError) as refused:
            Migrator(config, database_url=database_url).adopt(**{work: True})
        assert refused.value.code == "adopt-no-revisions"
    assert "alembic_version" not in tables(database_url)
