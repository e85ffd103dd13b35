"""Support code of the tests: databases, projects, processes, and what to say about them. The paths of the repository stand here."""

from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
ROOT = TESTS.parent
ENGINE = ROOT / "migrator"
CONFIG = ROOT / "alembic.ini"
VERSIONS = ROOT / "migrations" / "versions"
SCENARIOS = TESTS / "scenarios"
BOOKKEEPING = ("alembic_version", "migration_log")
"""The tables that are not the project's: Alembic's and the engine's."""
