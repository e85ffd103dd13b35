"""Revisions of an installed package: nobody can edit them, none has a `downgrade()`; the settings say what they may lose."""

from pathlib import Path

import pytest

from migrator import HistoryError, Migrator
from tests.foreign.kit import twins
from tests.kit.database import logged
from tests.kit.postgres import Server
from tests.scaffold.templates import Files

ENTRIES = (
    "INSERT INTO entries (id, book, amount, memo) VALUES"
    " (1, 'cash', 12.34, 'Rent'), (2, 'bank', -0.01, NULL), (3, 'cash', 99999999.99, 'π')"
)


def protect(folder: Path) -> None:
    for path in [*folder.joinpath("site").rglob("*"), folder / "site"]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def test_up_without_a_way_down(host: Server | Files, tmp_path: Path) -> None:
    with twins("ledger", tmp_path, host, write=protect) as both:
        both.upgrade("1.0")
        both.write(ENTRIES)
        if isinstance(host, Files):  # it is on an expression
            both.lose("ix_entries_memo")
        both.upgrade("1.1")
        both.lost = ()
        both.upgrade("2.0")
        assert logged(both.ours.url) == ["1.0", "1.1", "2.0"]
        engine = Migrator(both.ours.ini, database_url=both.ours.url)
        assert engine.status().pending == ()
        with pytest.raises(HistoryError, match="downgrade") as refused:
            both.ours.alembic("downgrade", "1.1")
        assert refused.value.code == "revision-incomplete"
        both.assert_alike("after a downgrade that is not there")
