"""The README and the docs are true: type what they say, and you get what they show.

The blocks of a section run in their order, in a copy of the project of their own.
"""

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import pytest

from migrator import Migrator, Settings
from migrator.history.attributes import StepOptions
from tests.kit import CONFIG, ROOT
from tests.kit.doors import OURS, THEIRS
from tests.kit.pages import PAGES, Block, anchors, blocks, furnish, play, read, rows_of, section_of
from tests.kit.processes import Project

BLOCKS = [block for page in PAGES for block in blocks(page)]
RUN = ("sh", "console", "python", "ini")
SECTIONS = list(dict.fromkeys((b.page, b.section) for b in BLOCKS if b.kind in RUN and not b.is_revision))
ADDRESS = re.compile(r"postgresql://[^\s'\"]+")
# What a setting's table does not list: where alembic.ini is, and the URL, which has a section of its own.
NOT_SETTINGS = {"root", "database_url", "source"}
GUARANTEES = re.findall(r"(?m)^## (\d+\. .+)$", read("docs/guarantees.md"))

COMMANDS = [row[0].strip("`").split()[0] for row in rows_of("docs/commands.md", "Commands")]
COMMANDS = COMMANDS[: COMMANDS.index("revision")]  # from there on they are Alembic's


def at(revision: str) -> Callable[[Path], None]:
    """A database at that revision."""

    def make(database: Path) -> None:
        Migrator(CONFIG, database_url=f"sqlite:///{database}").upgrade(revision)

    return make


def nothing(database: Path) -> None:
    """No database yet."""


def legacy(*changes: str) -> Callable[[Path], None]:
    """A database with the schema of 007 that no migration tool has touched, changed by these statements."""

    def make(database: Path) -> None:
        at("007")(database)
        with closing(sqlite3.connect(database)) as connection:
            for statement in ("DROP TABLE alembic_version", "DROP TABLE migration_log", *changes):
                connection.execute(statement)
            connection.commit()

    return make


def another_project(database: Path) -> None:
    """Tables that no revision knows."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, email VARCHAR(200) NOT NULL UNIQUE)")
        connection.execute(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers (id))"
        )
        connection.commit()


# How a section begins; the others with a database at the newest revision.
BEGINNINGS = {
    ("README.md", "Start"): nothing,
    ("README.md", "A first session"): nothing,
    ("README.md", "A new project"): nothing,
    ("docs/index.md", "Without make"): nothing,
    ("docs/index.md", "A new project"): nothing,
    ("docs/index.md", "From Python"): at("010"),
    ("docs/adoption.md", "Tables made by create_all()"): legacy(),
    ("docs/adoption.md", "Stamping by hand"): legacy(),
    ("docs/adoption.md", "When no revision matches"): legacy("DROP INDEX ix_reports_status"),
    ("docs/adoption.md", "Databases of other migration tools"): legacy(
        'CREATE TABLE "SequelizeMeta" (name VARCHAR(255) PRIMARY KEY)',
        "INSERT INTO \"SequelizeMeta\" VALUES ('20230101-reports.js')",
    ),
    ("docs/adoption.md", "Tables that no revision knows: baseline"): another_project,
}


def test_every_block_is_of_a_kind_that_is_run() -> None:
    assert {block.kind for block in BLOCKS} == {*RUN, "diff", "text"}
    assert set(BEGINNINGS) <= set(SECTIONS)
    assert [block for block in BLOCKS if block.kind == "text" and re.search(r"(?m)^\$ ", block.text)] == []


@pytest.mark.parametrize(("page", "section"), SECTIONS)
def test_a_section_can_be_typed_in(project: Project, request: pytest.FixtureRequest, page: str, section: str) -> None:
    furnish(project)
    BEGINNINGS.get((page, section), at("head"))(project.path / "app.db")
    for block in BLOCKS:
        if (block.page, block.section) == (page, section) and block.kind in RUN and not block.is_revision:
            text = block.text
            if ADDRESS.search(text):
                text = ADDRESS.sub(request.getfixturevalue("postgres_url"), text)
            play(project, Block(page, section, block.kind, text))


@pytest.mark.parametrize("text", [pytest.param(b.text, id=b.section) for b in BLOCKS if b.is_revision])
def test_a_revision_that_is_shown_goes_up_and_down(project: Project, database_url: str, text: str) -> None:
    Migrator(CONFIG, database_url=database_url).upgrade()
    project.path.joinpath("migrations/versions/013_shown.py").write_text(text)
    for command, where in (("upgrade", "013"), ("downgrade", "012"), ("upgrade", "013")):
        done = project.migrate(command, url=database_url)
        assert (done.code, done.stdout.splitlines()[-1].partition("is at ")[2]) == (0, f"{where}."), done


@pytest.mark.parametrize("text", [pytest.param(b.text, id=b.page) for b in BLOCKS if b.kind == "diff"])
def test_the_lines_of_env_py_are_those_that_an_existing_project_is_tested_with(text: str) -> None:
    imports, lines = text.split("@@\n")
    assert imports == " from alembic import context\n+import migrator\n"
    old = "".join(line[1:] for line in lines.splitlines(keepends=True) if line.startswith("-"))
    new = "".join(line[1:] for line in lines.splitlines(keepends=True) if line.startswith("+"))
    assert (old, new) == (THEIRS["generic"], OURS["generic"])


def test_the_table_of_settings_is_the_settings() -> None:
    words = {None: "none", (): "none", True: "true", False: "false"}
    found = {field.name: field.default for field in fields(Settings) if field.name not in NOT_SETTINGS}
    expected = {
        name: words[value] if value in words else value if isinstance(value, str) else f"{value:g}"
        for name, value in found.items()
    }
    assert {row[0].strip("`"): row[1] for row in rows_of("docs/settings.md", "Settings")} == expected


def test_the_table_of_a_revisions_attributes_is_what_a_step_reads() -> None:
    rows = rows_of("docs/writing-revisions.md", "Attributes of a revision")
    named = [re.findall(r"`(\w+)", row[0])[0] for row in rows]
    assert sorted(named) == sorted(field.name for field in fields(StepOptions))


@pytest.mark.parametrize(
    ("typed", "keys"), [pytest.param(*row, id=row[0].strip("`")) for row in rows_of("docs/commands.md", "JSON")]
)
def test_the_keys_of_a_json_document_are_those_of_the_table(project: Project, typed: str, keys: str) -> None:
    at("head")(project.path / "app.db")
    done = project.migrate(*typed.strip("`").split())
    document = json.loads(done.stdout)
    parts = [document[0]] if isinstance(document, list) else [document, *document.get("revisions", [])[:1]]
    found = {key for part in parts for key in part}
    named = set(re.findall(r"`(\w+)`", keys))
    assert named == found or named == {"migration_log"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_stands_in_the_docs(project: Project, command: str) -> None:
    done = project.migrate(command, "--help")
    options = set(re.findall(r"(?<![\w-])--[a-z-]+", done.stdout)) - {"--help"}
    assert {"--config", "--quiet"} < options, done
    assert {option for option in options if f"`{option}" not in read("docs/commands.md")} == set()


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/design.md", "docs/guarantees.md"])
def test_the_files_that_are_named_exist(page: str) -> None:
    named = re.findall(r"`((?:migrator|tests|docs|app|migrations|benchmarks)/[\w./]*)`", read(page))
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_a_guarantee_says_what_it_does_not_cover_and_which_tests_prove_it(guarantee: str) -> None:
    text = section_of("docs/guarantees.md", guarantee)
    assert text.count("\n**Not covered.** ") == text.count("\n**Tests.** ") == 1
    named = re.findall(r"`(tests/[^`]+)`", text.partition("**Tests.** ")[2])
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_every_error_says_what_was_changed() -> None:
    _, *sections = re.split(r"(?m)^## ", read("docs/errors.md"))
    parts = ["What it means", "Why it stops", "What was changed", "What to do"]
    assert {
        text.partition("\n")[0]: found
        for text in sections
        if (found := re.findall(r"(?m)^\*\*(.+)\.\*\* ", text)) != parts
    } == {}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", re.sub(r"(?ms)^```.*?^```$", "", read(page))):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), target
        assert not anchor or anchor in anchors(str(path.resolve().relative_to(ROOT))), target


def test_the_overview_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([\w./-]+\.md)", read("docs/index.md")))
    pages = {Path(page).name if page.startswith("docs/") else f"../{page}" for page in PAGES}
    assert pages - linked == {"index.md", "../README.md"}


@pytest.mark.parametrize("page", [page for page in PAGES if page != "CHANGELOG.md"])
def test_the_english_is_plain(page: str) -> None:
    words = r"mend\w*|beside|somebody|nobody|took back|whereof|lest|at work"
    assert re.findall(rf"(?i)\b(?:{words})\b", read(page)) == []
