"""What a version table says, checked: Alembic writes one row for each head, and never NULL."""

from collections.abc import Sequence

from alembic.runtime.migration import MigrationContext

from migrator.errors import error


def read(migration: MigrationContext, *, purge: bool = False) -> tuple[str, ...]:
    """Return the heads in the version table, empty for base, in an open transaction. Reads only.

    Raises DatabaseError "version-table-unusable" for a row that is NULL or there twice, unless the table is to be emptied.
    """
    heads: Sequence[str | None] = migration.get_current_heads()
    if not purge:
        _check(heads, migration.version_table)
    return tuple(dict.fromkeys(head for head in heads if head is not None))


def _check(heads: Sequence[str | None], version_table: str) -> None:
    for number, head in enumerate(heads):
        if head is None or head in heads[:number]:
            known = [each for each in heads if each is not None]
            problem = "a row that is NULL" if head is None else f"the row {head} twice"
            raise error("version-table-unusable", table=version_table, problem=problem, first=(known or ["REV"])[0])
