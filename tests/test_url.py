"""The database's URL: what it may look like, where it comes from, and that its password is never shown."""

from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from migrator import DatabaseError, Migrator, Settings, SettingsError
from migrator.masking import mask, scrub
from migrator.url import driver_url
from tests.kit.assertions import assert_refused, assert_says
from tests.kit.database import tables
from tests.kit.postgres import GUARDED_PASSWORD, Server
from tests.kit.processes import Project
from tests.kit.projects import creates, miniature

ROOT = Path("/srv/app")
AWKWARD = "p%@/#:? é+&="
POSTGRES = "postgresql+psycopg2"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgres://u@h/d", f"{POSTGRES}://u@h/d"),
        ("postgresql://u@h/d", f"{POSTGRES}://u@h/d"),
        ("postgresql+psycopg2://u@h/d", f"{POSTGRES}://u@h/d"),
        ("postgresql+asyncpg://u@h:6000/d", f"{POSTGRES}://u@h:6000/d"),
        ("postgresql+asyncpg://u@h/d?ssl=require", f"{POSTGRES}://u@h/d?sslmode=require"),
        ("postgresql+asyncpg://u@h/d?prepared_statement_cache_size=0", f"{POSTGRES}://u@h/d"),
        ("postgresql://u@h/d?sslmode=require", f"{POSTGRES}://u@h/d?sslmode=require"),
        ("postgresql:///d?host=/var/run/postgresql", f"{POSTGRES}:///d?host=%2Fvar%2Frun%2Fpostgresql"),
        ("postgresql://h/my%20db", f"{POSTGRES}://h/my db"),
        ("  postgresql://h/d\n", f"{POSTGRES}://h/d"),
        ("sqlite:///relative.db", "sqlite+pysqlite:////srv/app/relative.db"),
        ("sqlite:///../data/up.db", "sqlite+pysqlite:////srv/app/../data/up.db"),
        ("sqlite:////absolute.db", "sqlite+pysqlite:////absolute.db"),
        ("sqlite+aiosqlite:///relative.db", "sqlite+pysqlite:////srv/app/relative.db"),
        ("sqlite+pysqlite:///relative.db", "sqlite+pysqlite:////srv/app/relative.db"),
        ("sqlite://", "sqlite+pysqlite://"),
        ("sqlite:///:memory:", "sqlite+pysqlite:///:memory:"),
        ("sqlite:///file:a.db?mode=ro&uri=true", "sqlite+pysqlite:///file:/srv/app/a.db?mode=ro&uri=true"),
        ("sqlite:///file:/a.db?mode=ro&uri=true", "sqlite+pysqlite:///file:/a.db?mode=ro&uri=true"),
        ("sqlite:///file:m?mode=memory&uri=true", "sqlite+pysqlite:///file:m?mode=memory&uri=true"),
    ],
)
def test_a_url_is_brought_to_the_installed_driver_and_to_the_folder_of_the_configuration(given: str, used: str) -> None:
    assert driver_url(given, root=ROOT) == make_url(used)


@pytest.mark.parametrize(
    ("given", "code", "word"),
    [
        ("", "url-empty", "is empty"),
        ("   ", "url-empty", "does not mean the default"),
        (
            "mysql://u:hunter2@h/d",
            "url-unsupported",
            "'mysql' is not supported (from here). Supported: PostgreSQL, SQLite",
        ),
        ("mssql+pyodbc://u:hunter2@h/d", "url-unsupported", "'mssql+pyodbc'"),
        ("hunter2", "url-invalid", "cannot be understood"),
        ("postgresql:hunter2@h/d", "url-invalid", "cannot be understood"),
        ("postgresql://u:hunter2@h:port/d", "url-invalid", "cannot be understood"),
        ("postgresql://u:p@hunter2@h/d", "url-invalid", "percent-encoded"),
        ("postgresql://u:p@x/hunter2@h/d", "url-invalid", "percent-encoded"),
        ("postgresql+pg8000://u:hunter2@h/d", "url-driver-missing", "pip install pg8000"),
        ("sqlite:///a.db?mode=ro", "url-sqlite-arguments", "mode"),
    ],
)
def test_what_is_no_url_for_us_is_refused_without_being_shown(given: str, code: str, word: str) -> None:
    with pytest.raises(SettingsError) as refused:
        driver_url(given, root=ROOT, source="here")
    assert refused.value.code == code
    assert_says(str(refused.value), code, word)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("secret", [*AWKWARD, AWKWARD, "%40", "100%"])
def test_a_percent_encoded_password_arrives_as_it_is_and_is_never_shown(secret: str) -> None:
    for given in (
        f"postgresql://u:{quote(secret, safe='')}@h/d",
        f"postgresql://u@h/d?password={quote(secret, safe='')}",
    ):
        url = driver_url(given, root=ROOT)
        assert secret in (url.password, url.query.get("password"))
        if len(secret) > 1:
            assert secret not in mask(url)
            assert quote(secret, safe="") not in mask(url)
            assert secret not in scrub(f"could not connect with {secret!r} or {given}", url)


@pytest.mark.parametrize(
    ("given", "said", "shown"),
    [
        (
            "postgresql://u:p@h/d",
            "export p failed at u:p@h, password=p&x",
            "export p failed at u:***@h, password=***&x",
        ),
        ("postgresql://postgres:postgres@h/postgres", 'role "postgres" of postgresql', 'role "postgres" of postgresql'),
        ("postgresql://u:test@h/d", "tests of latest data", "tests of latest data"),
        ("postgresql://u:1234@h/d", "12345 rows", "12345 rows"),
        ("postgresql://u:test@h/d", r"test, (test), 'x\ntest', test_2", r"***, (***), 'x\n***', ***_2"),
        ("postgresql://u:hunter2@h/d", r"xhunter2x \nhunter2", r"x***x \n***"),
        ("postgresql://u:p@h/d", "postgresql://x:y@z", "postgresql://x:***@z"),
        (
            "postgresql://u:app@h/app",
            "PASSWORD=app for app; password is 'app'",
            "PASSWORD=*** for app; password is '***'",
        ),
        ("postgresql://u:a%20%C3%A9!@h/d", r"a é! a+%c3%A9%21 %61 é! 'a \xe9!' a \u00e9!", "*** *** *** '***' ***"),
        ("postgresql://u@h/d?oauth_client_secret=hunter2", "hunter2", "***"),
    ],
)
def test_only_a_password_is_hidden_and_no_part_of_a_word(given: str, said: str, shown: str) -> None:
    assert scrub(said, make_url(given)) == shown
    assert "hunter2" not in mask(make_url(given))


@pytest.mark.parametrize(
    "given",
    [
        *("sqlite:///a.db?timeout=abc", "sqlite:///a.db?timeout=1&timeout=2", "sqlite:///a.db?check_same_thread=maybe"),
        *("sqlite:///a%00.db", "sqlite:///", "sqlite:///?timeout=3", "sqlite:///~no-such-user/a.db"),
        *("postgresql://u:hunter2%00@h/d", "postgresql://u%00:hunter2@h/d", "postgresql://u:hunter2@h/d?options=%00"),
        *("postgresql://u:hunter2@h/d?port=abc", "postgresql://u@h/d%00"),
    ],
)
def test_a_url_that_nothing_can_be_done_with_is_refused_without_being_shown(given: str, tmp_path: Path) -> None:
    ini = miniature(tmp_path / "project")
    for command in (Migrator(ini, database_url=given).current, Migrator(ini, database_url=given).upgrade):
        with pytest.raises(SettingsError) as refused:
            command()
        assert_says(str(refused.value), "url-unusable", "(from --database-url)")
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("path", ["{}/app.db", "{}/nowhere/../app.db", "file:{}/app.db?uri=true"])
def test_a_database_is_there_for_all_commands_or_for_none(tmp_path: Path, path: str) -> None:
    url = f"sqlite:///{path.format(tmp_path)}"
    migrator = Migrator(miniature(tmp_path / "project", creates("animals")), database_url=url)
    with pytest.raises(DatabaseError) as refused:
        migrator.current()
    assert refused.value.code == "database-missing"
    assert not (tmp_path / "app.db").exists()
    migrator.upgrade()
    assert (tmp_path / "app.db").is_file()
    assert (migrator.current(), migrator.status().at) == (("001",), ("001",))


def test_the_sources_of_the_url_have_an_order(tmp_path: Path) -> None:
    ini, dotenv, environ = tmp_path / "alembic.ini", tmp_path / ".env", {}

    def found(**arguments: str) -> tuple[str, str]:
        settings = Settings.load(ini, environ=environ, **arguments)
        return settings.database_url, settings.source

    ini.write_text("[alembic]\n")
    assert found() == ("sqlite:///app.db", "the default")
    ini.write_text("[alembic]\nsqlalchemy.url = sqlite:///%(here)s/100%%.db\n")
    assert found() == (f"sqlite:///{tmp_path}/100%.db", "sqlalchemy.url in alembic.ini")
    dotenv.write_text("# a comment\nexport DATABASE_URL='sqlite:///2 # $HOME.db'\n")
    assert found() == ("sqlite:///2 # $HOME.db", "DATABASE_URL in .env")
    environ["DATABASE_URL"] = "sqlite:///3.db"
    assert found() == ("sqlite:///3.db", "DATABASE_URL")
    dotenv.write_text("DATABASE_URL=sqlite:///2.db\nMIGRATION_DATABASE_URL=sqlite:///4.db\n")
    assert found() == ("sqlite:///4.db", "MIGRATION_DATABASE_URL in .env")
    environ["MIGRATION_DATABASE_URL"] = "sqlite:///5.db"
    assert found() == ("sqlite:///5.db", "MIGRATION_DATABASE_URL")
    assert found(database_url="sqlite:///6.db") == ("sqlite:///6.db", "--database-url")
    environ["MIGRATION_DATABASE_URL"] = ""
    assert found() == ("", "MIGRATION_DATABASE_URL")


def test_every_source_reaches_the_database(project: Project) -> None:
    ini = project.path / "alembic.ini"
    assert project.migrate("upgrade", "001").code == 0
    ini.write_text(
        ini.read_text().replace("[alembic]", "[alembic]\nsqlalchemy.url = sqlite:///%(here)s/in%%20ini.db", 1)
    )
    assert project.alembic("upgrade", "001").code == 0
    (project.path / ".env").write_text("DATABASE_URL=sqlite:///dotenv.db\n")
    assert project.migrate("upgrade", "001").code == 0
    assert project.alembic("upgrade", "001", url="sqlite:///variable.db").code == 0
    assert {path.name for path in project.path.glob("*.db")} == {"app.db", "in ini.db", "dotenv.db", "variable.db"}
    said = project.alembic("upgrade", "001", url="").stdout
    assert_says(said, "url-empty", "FAILED: The database's URL is empty (from DATABASE_URL).")
    assert_refused(project.migrate("upgrade", url=""), "url-empty", "is empty (from DATABASE_URL)")


def test_a_database_in_memory_is_migrated_and_gone(project: Project) -> None:
    done = project.migrate("upgrade", url="sqlite://")
    assert (done.code, "is at 012" in done.stdout) == (0, True)
    assert project.migrate("current", url="sqlite://").stdout == "base\n"
    assert not list(project.path.glob("*.db*"))


def test_postgresql_is_reached_by_every_spelling(postgres_server: Server, postgres_url: str) -> None:
    url = make_url(postgres_url)
    host, name = f"postgres@{url.host}:{url.port}", url.database
    spellings = [
        f"postgres://{host}/{name}",
        f"postgresql://{host}/{name}?sslmode=disable",
        f"postgresql+asyncpg://{host}/{name}?ssl=disable",
        f"postgresql://postgres@/{name}?host={url.host}&port={url.port}",
        postgres_server.guarded(postgres_url),
    ]
    if (folder := postgres_server.socket_directory) is not None:
        spellings += [f"postgresql://postgres@/{name}?host={folder}&port={url.port}"]
        spellings += [f"postgresql+asyncpg://postgres@:{url.port}/{name}?host={quote(str(folder), safe='')}"]
    for step, spelling in enumerate(spellings, 1):
        report = Migrator(database_url=spelling).upgrade(f"{step:03}")
        assert report.after == (f"{step:03}",), spelling


def test_a_server_without_tls_is_not_used_when_the_url_requires_it(project: Project, postgres_url: str) -> None:
    refused = project.migrate("upgrade", url=f"{postgres_url}?sslmode=require")
    assert_refused(refused, "database-unreachable", "server does not support SSL", "sslmode=require")


def test_a_database_with_a_space_in_its_name_is_migrated(project: Project, postgres_server: Server) -> None:
    url = make_url(postgres_server.url).set(database="two words").render_as_string(hide_password=False)
    postgres_server.drop_database(url)
    postgres_server.execute('CREATE DATABASE "two words"')
    try:
        for given, revision in ((url.replace("two words", "two%20words"), "001"), (url, "002")):
            done = project.migrate("upgrade", revision, url=given)
            assert (done.code, f"is at {revision}" in done.stdout) == (0, True), done
        with create_engine(url, poolclass=NullPool).connect() as connection:
            assert connection.scalar(text("SELECT current_database()")) == "two words"
    finally:
        postgres_server.drop_database(url)


def test_no_program_shows_a_password(project: Project, postgres_server: Server, postgres_url: str) -> None:
    right = postgres_server.guarded(postgres_url)
    wrong = postgres_server.guarded(postgres_url, password=AWKWARD)
    as_argument = make_url(wrong).set(password=None).render_as_string() + f"?password={quote(AWKWARD, safe='')}"
    nowhere = make_url(wrong).set(port=1).render_as_string(hide_password=False)
    runs = [
        project.migrate("-v", "upgrade", "001", url=right),
        project.migrate("status", "--json", url=right),
        project.alembic("current", "--verbose", url=right),
        project.migrate("upgrade", "001", "--sql", url=right),
        *(project.migrate("-v", "status", url=url) for url in (wrong, as_argument, nowhere)),
        *(project.alembic("upgrade", "head", url=url) for url in (wrong, as_argument)),
    ]
    assert [run.code for run in runs] == [0, 0, 0, 0, 2, 2, 2, 255, 255], runs
    for run in runs:
        for secret in (GUARDED_PASSWORD, AWKWARD):
            for spelling in (secret, quote(secret), quote(secret, safe=""), repr(secret)[1:-1]):
                assert spelling not in run.stdout + run.stderr
    assert "users" in tables(postgres_url)
    assert "://guarded:***@" in runs[1].stdout
    assert "password=hidden" in runs[5].stderr


def test_an_unexpected_error_shows_no_password_either(project: Project) -> None:
    users = project.path / "app/models/users.py"
    users.write_text(users.read_text() + "\nimport os\nraise RuntimeError(os.environ['DATABASE_URL'])\n")
    broken = project.migrate("upgrade", url="postgresql://u:hunter2@127.0.0.1:1/d")
    assert (broken.code, broken.stdout) == (2, "")
    assert "RuntimeError: postgresql://u:***@127.0.0.1:1/d" in broken.stderr
