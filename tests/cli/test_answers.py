"""What a command prints: in words for users, and with --json one document and nothing else."""

import json
import logging
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from migrator.errors import error
from migrator.results import Applied, Entry, Planned, Report, Revision, Status
from migrator.results.adoption import Adoption, Baseline, Difference, ImportedMigration, Match, Verdict
from tests.cli.stand_in import StandIn, Terminal, terminal as terminal

URL = StandIn.url
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PATH = Path("migrations/versions/001_first.py")
STATUS = Status(
    URL,
    ("001",),
    "002",
    (Revision("001", "First", PATH, True, AT, 0.5, True), Revision("002", "Second", PATH, False)),
)
ENTRY = Entry(
    **{
        **dict.fromkeys(("database_user", "program", "git_commit", "file", "checksum", "source", "statements")),
        **dict.fromkeys(("version_table", "signature")),
        **{"id": 1, "revision": "001", "description": "First", "direction": "upgrade", "outcome": "failed"},
        **{"started_at": AT, "finished_at": AT, "duration_ms": 1500, "os_user": "ada", "host": "lamp", "error": "a\nb"},
    }
)
LONGER = Difference("users", "users.name is VARCHAR(400) and should be VARCHAR(200)", harmless=True)
LACKS = Difference("users", "the index ix_users on users: (id) is missing")
IMPORTED = ImportedMigration("Sequelize", "SequelizeMeta", "1-users.js", AT, "")
JSON_OF: dict[str, tuple[Any, Any]] = {
    "current": (("001",), {"url": URL, "at": ["001"]}),
    "status": (STATUS, None),
    "history": (
        (Planned("001", "upgrade", "First", PATH),),
        [{"revision": "001", "description": "First", "path": str(PATH)}],
    ),
    "log": ((ENTRY,), None),
    "adopt": (Adoption((), Verdict((Match("001", ()),), (), (), 1), ()), None),
}


def adoption(*differences: Difference, **changes: Any) -> Adoption:
    verdict = Verdict((Match("007", differences), Match("006", (LACKS,))), changes.pop("alike", ()), ("invoices",), 3)
    return Adoption(changes.pop("at", ()), verdict, (IMPORTED,), **changes)


def report(direction: Any, *revisions: str, before: str = "001", after: str = "002") -> Report:
    steps = tuple(Applied(revision, direction, "", 0.25) for revision in revisions)
    return Report(URL, (before,) if before else (), (after,) if after else (), steps)


@pytest.mark.parametrize("name", JSON_OF)
def test_json_is_one_document_and_nothing_else(terminal: Terminal, name: str) -> None:
    answer, expected = JSON_OF[name]

    class Talks(StandIn):
        def __getattr__(self, method: str) -> Any:
            logging.getLogger("migrator").warning("a line of the log")
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                warnings.warn("a warning", stacklevel=1)
            return super().__getattr__(method)

    said = terminal.type(name, "--json", engine=Talks(**{name: answer}))
    document = json.loads(said.stdout)
    assert said.code == 0
    assert expected is None or document == expected
    assert ("a line of the log" in said.stderr, "warning: a warning" in said.stderr) == (True, True)


@pytest.mark.parametrize("name", JSON_OF)
def test_an_error_leaves_standard_output_empty(terminal: Terminal, name: str) -> None:
    said = terminal.type(name, "--json", **{name: error("config-missing", path=PATH)})
    assert (said.code, said.stdout) == (2, "")
    assert said.stderr.startswith("error: There is no configuration file at ")


def test_the_documents_have_every_field(terminal: Terminal) -> None:
    found = json.loads(terminal.type("status", "--json", status=STATUS).stdout)
    assert [*found] == ["url", "at", "head", "heads", "pending", "revisions"]
    assert (found["pending"], found["revisions"][0]["applied_at"]) == (1, AT.isoformat())
    assert [*found["revisions"][1]] == ["revision", "description", "applied", "applied_at", "seconds", "edited", "path"]
    (entry,) = json.loads(terminal.type("log", "--json", log=(ENTRY,)).stdout)
    assert set(entry) == set(Entry.__dataclass_fields__)
    found = json.loads(terminal.type("adopt", "--json", adopt=adoption(LONGER, at=("001",))).stdout)
    keys = ["at", "revision", "exact", "alike", "extra", "left_alone", "not_compared", "matches", "runners", "imported"]
    keys += ["stamped", "steps", "bridge"]
    assert ([*found], found["at"], found["stamped"]) == (keys, ["001"], False)
    assert found["imported"] == [
        {
            "runner": "Sequelize",
            "table": "SequelizeMeta",
            "name": "1-users.js",
            "applied_at": AT.isoformat(),
            "description": "",
        }
    ]


@pytest.mark.parametrize(
    ("direction", "revisions", "words"),
    [
        ("upgrade", ("001", "002"), "Applied 2 revisions in 0.50 s: 001, 002."),
        ("downgrade", ("002",), "Reverted 1 revision in 0.25 s: 002."),
        ("stamp", ("002",), "Stamped 1 revision in 0.25 s: 002."),
    ],
)
def test_a_report_says_what_was_done(
    terminal: Terminal, direction: str, revisions: tuple[str, ...], words: str
) -> None:
    arguments = [direction, "002"]
    said = terminal.type(*arguments, **{direction: report(direction, *revisions, before="")})
    assert (said.code, said.stderr) == (0, "")
    assert said.stdout == f"{URL}\n{words}\nThe database was at base and is at 002.\n"
    said = terminal.type(*arguments, "-q", **{direction: report(direction, *revisions)})
    assert (said.code, said.stdout, said.stderr) == (0, "", "")


def test_nothing_to_do(terminal: Terminal) -> None:
    said = terminal.type("upgrade", upgrade=report("upgrade"))
    assert said.stdout == f"{URL}\nNothing to do: the database is at 002.\n"


def test_status_history_and_log_are_lines_with_tabs(terminal: Terminal) -> None:
    assert terminal.type("status", "--exit-code", status=STATUS) == (
        1,
        "001\tapplied\t2026-01-02 03:04:05+00:00\t0.50 s\tFirst  (edited since it was applied)\n"
        f"002\tpending\t\t\tSecond\n{URL}\nThe database is at 001: 1 applied, 1 pending.\n",
        "",
    )
    assert terminal.type("log", log=(ENTRY,)).stdout == (
        "2026-01-02 03:04:05+00:00\t001\tupgrade\tfailed\t1.50 s\tada@lamp\ta\n"
    )
    assert terminal.type("history", history=JSON_OF["history"][0]).stdout == "001\tFirst\n"
    assert terminal.type("current", current=()).stdout == "base\n"


@pytest.mark.parametrize(
    ("found", "first", "last"),
    [
        (adoption(), "exactly the schema of revision 007;", "Nothing was written."),
        (adoption(at=("007",)), "exactly the schema of revision 007;", "The version table says so already."),
        (adoption(LONGER), "the schema of revision 007, apart from 1 harmless difference;", "Nothing was written."),
        (adoption(LONGER, LONGER), "revision 007, apart from 2 harmless differences;", "Nothing was written."),
        (
            adoption(LACKS, report=report("stamp", "007", before="", after="007")),
            "the schema of revision 007, now that the bridge has run;",
            "The database was at base and is at 007.",
        ),
    ],
)
def test_adopt_says_where_the_database_is(terminal: Terminal, found: Adoption, first: str, last: str) -> None:
    said = terminal.type("adopt", adopt=found)
    lines = said.stdout.splitlines()
    assert (said.code, said.stderr, lines[-1]) == (0, "", last)
    assert first in lines[0]
    assert lines[0].endswith("; every revision was replayed and compared.")
    assert "Applied by Sequelize at 2026-01-02 03:04:05+00:00: 1-users.js" in lines
    assert "Left alone, because no revision creates them: invoices" in lines
    assert terminal.type("adopt", "-q", adopt=found) == (0, "", "")


def test_adopt_names_revisions_with_the_same_schema(terminal: Terminal) -> None:
    said = terminal.type("adopt", adopt=adoption(alike=("008", "009")))
    assert said.stdout.splitlines()[1] == (
        "008, 009 have the same schema. The earliest is taken, so that no change of rows is left out."
    )


def test_adopt_says_how_to_run_the_bridge(terminal: Terminal) -> None:
    said = terminal.type("adopt", "--fix", adopt=adoption(LACKS, bridge=Path("to_007.py")))
    assert said.stdout == (
        "Written, not run: to_007.py\n"
        "It takes the database to 007. Read it, then run it:\n  python migrate.py adopt --bridge to_007.py\n"
    )


def test_a_refused_adoption_is_printed_as_well(terminal: Terminal) -> None:
    found = adoption(LACKS)
    fields = {"nearest": found.verdict.matches, "best": "007", "differences": (LACKS,), "adoption": found}
    said = terminal.type("adopt", adopt=error("adopt-no-match", **fields))
    assert (said.code, said.stdout.splitlines()[-1]) == (1, "Left alone, because no revision creates them: invoices")
    assert "error: The database has the schema of no revision; the nearest is 007." in said.stderr
    said = terminal.type("adopt", "--json", adopt=error("adopt-no-match", **fields))
    assert (said.code, json.loads(said.stdout)["revision"]) == (1, "007")


def test_baseline_names_what_it_wrote(terminal: Terminal) -> None:
    written = Baseline(
        Path("models.py"), Path("001_baseline.py"), ("a", "b"), report("stamp", "001", before="", after="001")
    )
    said = terminal.type("baseline", "--models", "models.py", baseline=written)
    first, *_, last = said.stdout.splitlines()
    assert first == "Wrote the models to models.py and the revision to 001_baseline.py: a, b."
    assert last == "The database was at base and is at 001."
    assert terminal.type("baseline", "-q", baseline=written) == (0, "", "")


@pytest.mark.parametrize("command", ["upgrade", "downgrade", "stamp"])
def test_sql_is_printed_as_it_is(terminal: Terminal, command: str) -> None:
    engine = StandIn(sql="CREATE TABLE a;\n")
    assert terminal.type(command, "001:002", "--sql", "-q", engine=engine) == (0, "CREATE TABLE a;\n", "")
    options = {"purge": False} if command == "stamp" else {}
    assert engine.calls == [("sql", (command, "001:002"), options)]
