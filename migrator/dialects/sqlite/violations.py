"""The rows of a SQLite database that have no parent, as PRAGMA foreign_key_check finds them."""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy.exc import OperationalError

from migrator.dialects.sqlite.catalog import sql_texts
from migrator.dialects.sqlite.sql.tokens import folded, quoted


class Violation(NamedTuple):
    """A row without its parent, known by its rowid if a rebuild keeps that, else by its values. `str()` says it in a line."""

    table: str
    rowid: int | None
    parent: str
    """The parent table; without `columns`, what SQLite says is wrong with the table's keys."""
    columns: tuple[str, ...]
    values: str = ""

    def __str__(self) -> str:
        if not self.columns:
            return f"{self.table}: {self.parent}"
        row = f" row {self.rowid}" if self.rowid is not None else ""
        value = f" = {self.values}" if self.values else ""
        return f"{self.table}{row}: ({', '.join(self.columns)}){value} has no row in {self.parent}"


def violations(ask: Callable[..., list[Any]], table: str | None) -> Counter[Violation]:
    """Return what is violated in the table of the main database, or in all. Reads every row of it."""
    target = "" if table is None else f"({quoted(table)})"
    try:
        rows = ask(f"PRAGMA main.foreign_key_check{target}")
    except OperationalError as error:  # the parent has no unique key where one is needed
        return Counter([Violation(table or "a table", None, str(error.orig), ())])
    found: Counter[Violation] = Counter()
    columns: dict[tuple[str, int], list[str]] = {}
    steady: dict[str, bool] = {}
    for child in {row[0] for row in rows}:
        # A rebuild that is written out in SQL gives new rowids to a table where no column is the rowid.
        steady[child] = sql_texts.has_rowid_column(ask, "main", child)
        for number, _, _, column, *_ in ask(f"PRAGMA main.foreign_key_list({quoted(child)})"):
            columns.setdefault((child, number), []).append(column)
    for child, rowid, parent, number in rows:
        names, values = tuple(folded(column) for column in columns[child, number]), ""
        if rowid is not None and not steady[child]:
            what = " || ', ' || ".join(f"quote({quoted(column)})" for column in columns[child, number])
            values = ask(f"SELECT {what} FROM main.{quoted(child)} WHERE rowid = {rowid}")[0][0]
        found[Violation(folded(child), rowid if steady[child] else None, folded(parent), names, values)] += 1
    return found
