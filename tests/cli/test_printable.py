"""What a person reads has no control characters in it, whoever wrote them where; what a program reads is data."""

import json
import logging

import pytest

from migrator.cli import output
from migrator.errors import error
from migrator.errors.printable import PRINTABLE, printable
from migrator.results import Applied, Report
from tests.cli.stand_in import StandIn, Terminal, terminal as terminal
from tests.cli.test_answers import ENTRY

EVIL = "a\x1b[2Kb\rc\u202ed\u200be\x07f\x9bg\ufeffh\u2028i"
SHOWN = r"a\x1b[2Kb\rc\u202ed\u200be\x07f\x9bg\ufeffh\u2028i"
PLAIN = "näher – 数据, §5: \\x1b"


def test_only_what_has_no_shape_of_its_own_is_escaped() -> None:
    assert printable(PLAIN) == PLAIN
    assert printable(EVIL) == SHOWN
    assert (printable("a\nb"), printable("a\nb\tc", lines=True)) == (r"a\nb", "a\nb\\tc")
    assert printable("\udc80") == r"\udc80"


def test_every_way_of_printing_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    output.say(f"{EVIL}\nnext", lines=True)
    output.say("one\ntwo")
    output.table(("one", "two"), [(EVIL, f"{EVIL}\tx\ny")])
    output.report(Report("url", (EVIL,), ("b",), (Applied(EVIL, "upgrade", "", 1.0),)))
    print(output.heads((EVIL,)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [SHOWN, "next", r"one\ntwo", f"{SHOWN}\t{SHOWN}\\tx\\ny"]
    assert lines[4:] == [
        "url",
        f"Applied 1 revision in 1.00 s: {SHOWN}.",
        f"The database was at {SHOWN} and is at b.",
        SHOWN,
    ]


def test_an_error_escapes_its_fields_and_keeps_them_as_data() -> None:
    made = error("database-unknown-revision", at=(EVIL,))
    assert f"The database is at {SHOWN}, and no" in str(made)
    assert made.fields["at"] == (EVIL,)
    listed = error(
        "foreign-keys-broken", count=1, rows=(EVIL,), table=EVIL, revision="1", path="p", direction="upgrade"
    )
    assert all(one.isprintable() or one == "\n" for one in str(listed))


def test_a_warning_escapes_what_it_was_given(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("migrator")
    logger.addFilter(PRINTABLE)
    logger.warning("Waiting for %s in %.1f s, attempt %d", EVIL, 1.5, 2)
    assert caplog.messages == [f"Waiting for {SHOWN} in 1.5 s, attempt 2"]


def test_json_is_data(capsys: pytest.CaptureFixture[str]) -> None:
    output.document({"revision": EVIL})
    assert json.loads(capsys.readouterr().out) == {"revision": EVIL}


def test_log_lists_the_newest_hundred_and_says_that_there_are_more(terminal: Terminal) -> None:
    for arguments, asked, shown in (((), 101, 100), (("--limit", "2"), 2, 2), (("--all",), None, 150)):
        engine = StandIn(log=(ENTRY,) * (asked or 150))
        said = terminal.type("log", *arguments, engine=engine)
        assert engine.calls == [("log", (asked,), {})]
        assert len(said.stdout.splitlines()) == shown
        assert said.stderr == ("" if arguments else "These are the newest 100 entries; --all lists all.\n")
    with pytest.raises(SystemExit):
        terminal.type("log", "--limit", "0", engine=StandIn())
