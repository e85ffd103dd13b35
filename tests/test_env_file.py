"""The `.env` file: what it may look like, and that a damaged one never leads to the default database."""

import os
import threading
from pathlib import Path

import pytest

from migrator import Settings, SettingsError
from tests.kit.assertions import assert_says
from tests.kit.processes import Project

URL = "postgresql://me:hunter2@localhost/app"


@pytest.fixture
def ini(tmp_path: Path) -> Path:
    path = tmp_path / "alembic.ini"
    path.write_text("[alembic]\n")
    return path


def refusal(ini: Path, **environ: str) -> str:
    with pytest.raises(SettingsError) as refused:
        Settings.load(ini, environ=environ)
    text = str(refused.value)
    assert_says(text, "config-unreadable", str(ini.with_name(".env")))
    assert "hunter2" not in text
    return text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f'DATABASE_URL="{URL}\n', 1),
        (f"DATABASE_URL='{URL}\n", 1),
        (f"DATABASE_URL: {URL}\n", 1),
        (f"DATABASE_URL:{URL}\n", 1),
        (f"DATABASE_URL {URL}\n", 1),
        ("DATABASE_URL\n", 1),
        ("export DATABASE_URL\n", 1),
        (f"OTHER=1\n\n  database_url={URL}\n", 3),
        (f"OTHER=1\n\nset DATABASE_URL={URL}\n", 3),
        (f"- DATABASE_URL={URL}\n", 1),
        (f"MIGRATION_DATABASE_URL: {URL}\nDATABASE_URL={URL}\n", 1),
        (f'KEY="not closed\nDATABASE_URL={URL}\nOTHER="x"\n', 1),
        (f'KEY="not closed\nDATABASE_URL={URL}\nOTHER="\n', 2),  # what the parser takes for one value of three lines
        (f'KEY="not closed\r\nDATABASE_URL={URL}\r\n', 1),
    ],
)
def test_a_line_that_gives_the_url_no_value_is_refused_with_its_number(ini: Path, text: str, line: int) -> None:
    ini.with_name(".env").write_text(text, newline="")
    assert f"line {line} cannot be used" in refusal(ini)


@pytest.mark.parametrize("kind", ["a folder", "a link to nothing", "not UTF-8"])
def test_what_is_there_and_is_no_text_is_refused(ini: Path, kind: str) -> None:
    path = ini.with_name(".env")
    if kind == "a folder":
        path.mkdir()
    elif kind == "a link to nothing":
        path.symlink_to("nowhere")
    else:
        path.write_bytes(f"DATABASE_URL={URL}\n".encode("utf-16"))
    refusal(ini)


@pytest.mark.parametrize(
    "text",
    [
        f"\ufeffDATABASE_URL={URL}\n",  # as an editor on Windows writes it
        f"# DATABASE_URL: x\nDATABASE_URL_TEST=x\nPASSED_ON\nexport DATABASE_URL = '{URL}' # ours\n",
        f'KEY="several\nlines"\n\n\nDATABASE_URL={URL}\r\n',
        f"DATABASE_URL=x\nDATABASE_URL={URL}",
    ],
)
def test_what_can_be_read_is_read(ini: Path, text: str) -> None:
    ini.with_name(".env").write_text(text, newline="")
    settings = Settings.load(ini, environ={})
    assert (settings.database_url, settings.source) == (URL, "DATABASE_URL in .env")


def test_a_pipe_is_read_and_the_empty_device_is_empty(ini: Path) -> None:
    path = ini.with_name(".env")
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=(f"DATABASE_URL={URL}\n",))
    writer.start()
    assert Settings.load(ini, environ={}).database_url == URL
    writer.join()
    path.unlink()
    path.symlink_to(os.devnull)
    assert Settings.load(ini, environ={}).source == "the default"


def test_who_names_the_database_elsewhere_does_not_need_the_file(ini: Path) -> None:
    path = ini.with_name(".env")
    path.write_text("DATABASE_URL\n")
    assert Settings.load(ini, environ={"DATABASE_URL": URL}).source == "DATABASE_URL"
    path.write_text("no assignment at all\n")
    assert Settings.load(ini, environ={"MIGRATION_DATABASE_URL": URL}).database_url == URL
    assert Settings.load(ini, environ={}, database_url=URL).database_url == URL
    refusal(ini, DATABASE_URL=URL)  # it could have a MIGRATION_DATABASE_URL, which would count more


def test_a_damaged_file_makes_no_database(project: Project) -> None:
    (project.path / ".env").write_text("DATABASE_URL: sqlite:///production.db\n")
    refused = project.migrate("upgrade")
    assert (refused.code, refused.stdout) == (2, "")
    assert_says(refused.stderr, "config-unreadable", "line 1 cannot be used")
    assert not list(project.path.glob("*.db"))
