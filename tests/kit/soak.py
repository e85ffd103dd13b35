"""The long forms of the kill and race tests, of the random histories and of the stall benchmark: `python -m tests.kit.soak`, many minutes.

Prints a line of figures for each and ends by itself; the exit code is 1 when anything failed.
"""

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from hypothesis import settings

from benchmarks.stall import stalls
from tests.fuzz.check import SETTINGS, search
from tests.kit import CONFIG, VERSIONS
from tests.kit.fork_server import Forks, Job, forks
from tests.kit.postgres import Server, server
from tests.kit.projects import miniature
from tests.runner import slow_revisions as slow
from tests.runner.kill import Killer
from tests.runner.race import PROCESSES, race
from tests.scaffold.templates import Files, Templates

REVISIONS = [path.name[:3] for path in sorted(VERSIONS.glob("[0-9]*.py"))]


def soak_kills(started: Forks, host: Server | Files, folder: Path, kills: int) -> str:
    """Half of the kills over the real revisions, half over slow ones."""
    templates = Templates(host)
    config = miniature(folder / "slow", *slow.BODIES)
    born = host.create_database()
    (made,) = started.run(Job(["upgrade", "001"], config, born))
    assert made.code == 0, made
    killers = (
        Killer(started, host, templates.copy("004", full=True), CONFIG, REVISIONS[4:], _made(folder / "one")),
        Killer(started, host, born, config, slow.REVISIONS, _made(folder / "other")),
    )
    places = [Counter(killer.kill().revision for _ in range(kills // 2)) for killer in killers]
    found = "; ".join(
        f"{name}: " + ", ".join(f"{count} at {revision}" for revision, count in sorted(place.items()))
        for name, place in zip(("the project's revisions", "slow ones"), places, strict=True)
    )
    return f"{kills // 2 * 2} kills -9, every schema whole, every row there, every next run at head ({found})"


def soak_races(started: Forks, host: Server | Files, rounds: int) -> str:
    """Half of the rounds from empty, half with one revision pending."""
    templates = Templates(host)
    waited = 0
    for number in range(rounds):
        url = host.create_database() if number % 2 else templates.copy(REVISIONS[-2], full=True)
        results = race(started, url, CONFIG, REVISIONS if number % 2 else REVISIONS[-1:])
        waited += sum("Waiting" in result.stderr for result in results)
        host.drop_database(url)
    return f"{rounds} rounds of {PROCESSES} upgrades at once, all exit 0, each revision applied once ({waited} waited)"


def soak_stall(started: Forks, postgres: Server, folder: Path, rows: int) -> str:
    stock, ours = stalls(started, postgres, folder, rows=rows, rate=500, idle=5)
    assert ours < 0.3, f"this engine let a write stand for {ours:.3f} s"
    return f"longest write stall behind an idle reader, {rows:,} rows: alembic {stock:.2f} s, this engine {ours:.3f} s"


def soak_histories(host: Server | Files, folder: Path, minutes: float) -> str:
    """Random histories, others at each run."""
    found, ends = 0, time.monotonic() + minutes * 60
    while time.monotonic() < ends:
        found += search(host, folder, settings(SETTINGS, max_examples=50))
    return f"{found} random histories, each revision's schema and rows as its operations mean, up, down and up"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="kills on each database (200)")
    parser.add_argument("--rounds", type=int, default=20, help="races on each database (20)")
    parser.add_argument("--rows", type=int, default=2_000_000, help="rows of the stall benchmark (2000000)")
    parser.add_argument("--minutes", type=float, default=30, help="minutes of random histories on each database (30)")
    options = parser.parse_args()
    print(f"soak of {datetime.now(UTC):%Y-%m-%d}", flush=True)
    good = True
    with _folder() as folder, server() as postgres, forks(_made(folder / "forks")) as started:
        hosts: dict[str, Server | Files] = {"SQLite": Files(_made(folder / "files")), "PostgreSQL": postgres}
        for name, host in hosts.items():
            good &= _line(f"{name}, races", partial(soak_races, started, host, options.rounds))
            good &= _line(f"{name}, kills", partial(soak_kills, started, host, _made(folder / name), options.kills))
            good &= _line(
                f"{name}, histories", partial(soak_histories, host, _made(folder / f"{name} random"), options.minutes)
            )
        good &= _line(
            "PostgreSQL, stall", partial(soak_stall, started, postgres, _made(folder / "stall"), options.rows)
        )
    return 0 if good else 1


def _line(name: str, part: Callable[[], str]) -> bool:
    began = time.monotonic()
    try:
        found = part()
    except Exception:
        traceback.print_exc()
        print(f"{name}: FAILED", flush=True)
        return False
    print(f"{name}: {found}, {time.monotonic() - began:.0f} s", flush=True)
    return True


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
