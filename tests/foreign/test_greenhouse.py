"""SQLAlchemy's recipe of listeners in env.py, foreign keys on, a logging configuration and hooks of its own."""

from pathlib import Path

import pytest

from tests.foreign.kit import twins
from tests.kit.database import logged
from tests.kit.postgres import Server
from tests.scaffold.templates import Files

FIRST, SECOND, THIRD, LAST = "2f1c7a9be0d4", "9a0b3d5f7c11", "51d6e8f20a3b", "c4b7f1a2d9e6"
HOUSES = (
    "INSERT INTO houses (id, name) VALUES (1, 'north'), (2, 'south')",
    "INSERT INTO beds VALUES (1, 1, 'a'), (2, 2, 'b')",
)
PLANTS = (
    "INSERT INTO plants VALUES (1, 1, 'fern', 12.5), (2, NULL, 'moss', NULL)",
    "INSERT INTO waterings VALUES (1, 1, 2, '2022-05-01 07:00:00'), (2, 2, 3, '2022-05-02 07:00:00')",
    "INSERT INTO legacy_notes VALUES ('kept')",
)


def rows(*, climate: str = "", called: str = "name") -> list[str]:
    """What is in the tables of SQLite at a revision; the rebuild of houses costs stock Alembic the beds, that of plants the waterings."""
    return [
        *(f"row of houses: {{{climate}'id': {id_}, 'name': '{name}'}}" for id_, name in ((1, "north"), (2, "south"))),
        *(
            f"row of beds: {{'house_id': {id_}, 'id': {id_}, 'label': '{label}'}}"
            for id_, label in ((1, "a"), (2, "b"))
        ),
        f"row of plants: {{'bed_id': 1, 'height': 12.5, 'id': 1, '{called}': 'fern'}}",
        f"row of plants: {{'bed_id': None, 'height': None, 'id': 2, '{called}': 'moss'}}",
        "row of waterings: {'at': '2022-05-01 07:00:00', 'id': 1, 'litres': 2, 'plant_id': 1}",
        "row of waterings: {'at': '2022-05-02 07:00:00', 'id': 2, 'litres': 3, 'plant_id': 2}",
        "row of legacy_notes: {'note': 'kept'}",
    ]


def test_up_and_down_with_foreign_keys_on(
    host: Server | Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loses = isinstance(host, Files)
    with twins("greenhouse", tmp_path, host) as both:
        both.upgrade(FIRST)
        both.write(*HOUSES)
        both.upgrade(SECOND)
        both.write(*PLANTS)
        climate = "'climate': '{}', "
        for go, revision, found in (
            (both.upgrade, THIRD, rows(climate=climate)),
            (both.upgrade, LAST, rows(climate=climate, called="species")),
            (both.downgrade, THIRD, rows(climate=climate)),
            (both.downgrade, SECOND, rows()),
        ):
            both.rows = found if loses else None
            go(revision)
        both.rows = None
        both.downgrade("base")
        said = capsys.readouterr().err
        assert said.count(f"[alembic.env] now at {LAST}") == 2
        assert said.count("[alembic.env] now at base") == 2
        assert logged(both.ours.url)[-2:] == [f"downgrade {SECOND}", f"downgrade {FIRST}"]


def test_autogenerate_and_check_ask_the_hooks_of_env_py(
    host: Server | Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with twins("greenhouse", tmp_path, host) as both:
        both.upgrade("head")
        written = []
        for side in (both.ours, both.stock):
            side.alembic("check")
            versions = side.folder / "migrations" / "versions"
            before = {*versions.glob("*.py")}
            side.alembic("revision", "--autogenerate", "-m", "nothing")
            assert {*versions.glob("*.py")} == before
            models = side.folder / "greenhouse_models.py"
            models.write_text(models.read_text().replace("String(20)", "String(25), server_default='x'"))
            side.alembic("revision", "--autogenerate", "-m", "labels", "--rev-id", "0123456789ab")
            [made] = {*versions.glob("*.py")} - before
            written.append((made.name, made.read_text()))
        assert written[0] == written[1]
        assert "batch_op.alter_column('label'" in written[0][1]
        assert "legacy_notes" not in written[0][1]
        assert capsys.readouterr().err.count("No changes in schema detected.") == 2
        both.upgrade("head")
        both.ours.alembic("check")
