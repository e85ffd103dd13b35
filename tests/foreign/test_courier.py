"""An async env.py, hash ids, a folder of revisions for each of two branches that depend on each other."""

from pathlib import Path

from migrator import Migrator
from tests.foreign.kit import HERE, STOCK, twins
from tests.kit.database import logged
from tests.kit.postgres import Server
from tests.scaffold.templates import Files

ASYNC = {"sqlite": "sqlite+aiosqlite", "postgresql+psycopg2": "postgresql+asyncpg"}
PARCELS = (
    "INSERT INTO parcels (id, code, weight, sent) VALUES (1, '{}', 0.25, '2024-02-29'), (2, '{}', 12.5, NULL)".format(
        "3f2504e04f8941d39a0c0305e82c3301", "9c858901826c4e6c9f2e1a2b3c4d5e6f"
    )
)
EVENTS = (
    'INSERT INTO events (id, parcel_id, at, detail) VALUES (1, 1, \'2024-03-01 10:00:00.000000\', \'{"place": "Köln", "by": 7}\'),'
    " (2, 1, '2024-03-02 10:00:00.000000', NULL), (3, 2, '2024-03-03 10:00:00.000000', '[]')"
)
# A rebuild of stock Alembic's reflects the index without the direction.
DESCENDING = (
    f"{HERE}index ix_events_at: CREATE INDEX ix_events_at ON events (parcel_id, at DESC)",
    f"{STOCK}index ix_events_at: CREATE INDEX ix_events_at ON events (parcel_id, at)",
)


def test_up_and_down(host: Server | Files, tmp_path: Path) -> None:
    with twins("courier", tmp_path, host, drivers=ASYNC) as both:
        both.upgrade("core@7e1d0c5b2a90")
        both.write(PARCELS)
        both.upgrade("tracking@+1")
        both.write(EVENTS)
        both.upgrade("e5d2")
        both.lost = DESCENDING if isinstance(host, Files) else ()
        both.upgrade("heads")
        assert logged(both.ours.url) == ["7e1d0c5b2a90", "04c9a7f3e6b1", "b83f6e4d1c27", "e5d2b8a4c0f7", "19f0d3c7b5e8"]
        # A URL that names no driver, as the application's other half may have it.
        plain = both.ours.url.replace("+psycopg2", "")
        assert Migrator(both.ours.ini, database_url=plain).current() == ("19f0d3c7b5e8",)
        both.downgrade("tracking@-1", "04c9a7f3e6b1")
        both.lost = ()
        both.downgrade("tracking@base", "core@-1", "base")
