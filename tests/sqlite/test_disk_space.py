"""A disk too small for a rebuild, a real one: a file system in memory, mounted by a process of the test's own."""

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from migrator import StepFailed
from tests.kit import ROOT
from tests.kit.projects import upgrading
from tests.kit.scenario import project

BEFORE = """
    CREATE TABLE orders (id INTEGER PRIMARY KEY, status VARCHAR(10), text TEXT);
    CREATE TABLE small (id INTEGER PRIMARY KEY, status VARCHAR(10));
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
    INSERT INTO orders SELECT i, 'open', hex(randomblob(500)) FROM n;
"""
REBUILD = "with op.batch_alter_table('{}') as batch:\n    batch.alter_column('status', type_=sa.String(20))"
INSIDE = """
import json, sys
from pathlib import Path
from tests.kit.scenario import project
from tests.sqlite.test_disk_space import BEFORE, REBUILD, upgrading

stock, table = sys.argv[2] == "stock", sys.argv[3]
with project(Path(sys.argv[1]) / "p", upgrading(REBUILD.format(table)), before=BEFORE, stock=stock) as made:
    try:
        made.upgrade()
        said = "done"
    except Exception as error:
        said = f"{getattr(error, 'code', '')} {error}"
    rows = made.ask("SELECT count(*) FROM orders")[0]
    print(json.dumps([said, rows, sorted(made.schema())]))
"""
MOUNT = [
    "unshare",
    "--user",
    "--mount",
    "--map-root-user",
    "sh",
    "-c",
    'mount -t tmpfs -o size=8m none "$0" && exec "$@"',
]


@cache
def mountable() -> bool:
    """Whether this system lets an ordinary user mount a file system in memory, as Linux mostly does."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*MOUNT, "/mnt", "true"], capture_output=True, timeout=30).returncode == 0


def on_a_small_disk(directory: Path, who: str, table: str) -> tuple[str, int, list[str]]:
    directory.mkdir()
    command = [*MOUNT, str(directory), sys.executable, "-W", "ignore", "-c", INSIDE, str(directory), who, table]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    said, rows, schema = json.loads(done.stdout)
    return said, rows, schema


def test_a_disk_that_is_too_small_is_noticed_before_the_rebuild(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mountable():
        said, rows, schema = on_a_small_disk(tmp_path / "ours", "ours", "orders")
    else:
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=2_500_000))
        with project(tmp_path / "ours", upgrading(REBUILD.format("orders")), before=BEFORE) as ours:
            with pytest.raises(StepFailed) as caught:
                ours.upgrade()
            said, rows, schema = (
                f"{caught.value.code} {caught.value}",
                ours.ask("SELECT count(*) FROM orders")[0],
                [*ours.schema()],
            )
    assert said.startswith("disk-too-small Revision 001 (001_step.py) rebuilds the table orders, which needs about 1")
    assert rows == 5000
    assert "_alembic_tmp_orders" not in schema


def test_a_small_table_needs_little_room_whatever_the_database_has(tmp_path: Path) -> None:
    if mountable():
        said, _, _ = on_a_small_disk(tmp_path / "ours", "ours", "small")
        assert said == "done"


def test_stock_alembic_begins_and_runs_out_of_disk(tmp_path: Path) -> None:
    if mountable():
        said, rows, _ = on_a_small_disk(tmp_path / "stock", "stock", "orders")
        assert "full" in said or "disk I/O error" in said
        assert rows == 5000
