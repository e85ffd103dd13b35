"""The rows of a table that is rebuilt: looked at once where a column gets another type, then copied, with their rowids."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import Connection

from migrator.dialects.sqlite.rebuild.usual import quickly
from migrator.dialects.sqlite.rebuild.values import Kind
from migrator.dialects.sqlite.sql.tokens import quoted
from migrator.errors import error

_ROWID = ("rowid", "_rowid_", "oid")
_SHOWN = 40  # characters of an example


@dataclass
class Retyped:
    """A column that gets another type, and what `look` found in it. `using` is the conversion that the revision declares."""

    column: str
    old: Kind
    new: Kind
    using: str | None = None
    unfit: int = 0
    example: Any = None
    rewritten: bool = field(default=False)

    @property
    def value(self) -> str:
        """SQL for a value before SQLite and the engine convert it."""
        return quoted(self.column) if self.using is None else f"({self.using})"

    @property
    def is_looked_at(self) -> bool:
        """Return whether a value could need a conversion, or could not be kept."""
        return self.using is not None or not self.new.holds_all_of(self.old)

    def fits(self, value: Any, converted: Any) -> int:
        """Return 0 for a value that fits; count and show one that does not. Called by SQLite."""
        try:
            self.rewritten |= self.new.fit(value, converted, self._before) is not value
        except Exception:  # a type's own result processor may raise anything for a value that it cannot read
            self.example = value if not self.unfit else self.example
            self.unfit += 1
            return 1
        return 0

    def kept(self, value: Any, converted: Any) -> Any:
        """Return what is stored for a value; one that does not fit, and whose loss is accepted, stays. Called by SQLite."""
        try:
            return self.new.fit(value, converted, self._before)
        except Exception:
            return value

    @property
    def _before(self) -> Kind:
        # What a declared conversion returns is in the new type's own terms already.
        return self.old if self.using is None else self.new

    def unless_usual(self, function: str, usual: str) -> str:
        """Return SQL that calls the function only for values that are out of the ordinary."""
        value, quick = self.value, quickly(self.new, self.value, self._before)
        call = f"{function}({value}, CAST({value} AS {self.new.cast}))"
        return f"CASE WHEN {value} IS NULL OR ({quick}) THEN {usual} ELSE {call} END"

    def told(self, table: str, rows: int) -> str:
        """Return in words what does not fit."""
        by = "" if self.using is None else " that sqlite_using makes"
        example = repr(self.example)[:_SHOWN]
        kind = self.new.declared or "a column without a type"
        return f"{table}: {self.unfit} of {rows} values of {self.column}{by} do not fit {kind}, for example {example}"

    def accepted_by(self, table: str) -> str:
        """Return the words that accept it."""
        return f"{table}: values of {self.column}"


class Rows:
    """The rows of a table, from its old text to its new one.

    `copied` are the columns that have values to copy, `required` those of the new table's primary key in which none may be NULL.
    """

    def __init__(
        self,
        connection: Connection,
        schema: str,
        copied: Iterable[str],
        retyped: Iterable[Retyped],
        required: Iterable[str] = (),
    ) -> None:
        """Hold them; sends nothing."""
        self._connection, self._schema = connection, quoted(schema)
        self._copied, self._required = list(copied), list(required)
        self._retyped = {one.column: one for one in retyped}

    def look(self, table: str) -> tuple[list[Retyped], int]:
        """Return the columns with values that do not fit, and the number of rows. One pass, none if nothing could be changed.

        A declared conversion that is an aggregate, and would make one row of all, is an error of the database's here. Raises StepFailed
        "key-has-nulls".
        """
        looked = [one for one in self._retyped.values() if one.is_looked_at]
        if not looked and not self._required:
            return [], 0
        driver: Any = self._connection.connection.dbapi_connection
        names = {one.column: f"migrator_fits_{at}" for at, one in enumerate(looked)}
        for one in looked:
            driver.create_function(names[one.column], 2, one.fits)
        sums = [f"sum({one.unless_usual(names[one.column], '0')})" for one in looked]
        values = [self._retyped[name].value if name in self._retyped else quoted(name) for name in self._required]
        sums += [f"sum({value} IS NULL)" for value in values]
        try:
            found = self._connection.exec_driver_sql(
                f"SELECT count(*), {', '.join(sums)} FROM {self._schema}.{quoted(table)}"
            ).one()
        finally:
            for name in names.values():
                driver.create_function(name, 2, None)
        nulls = {name: number for name, number in zip(self._required, found[1 + len(looked) :], strict=True) if number}
        if nulls:
            told = tuple(f"{table}: {number} of {found[0]} rows have NULL in {name}" for name, number in nulls.items())
            raise error("key-has-nulls", table=table, column=next(iter(nulls)), nulls=told)
        return [one for one in looked if one.unfit], found[0]

    def copy(self, old: str, new: str, *, rowid: str | None) -> None:
        """Copy every row into the empty new table; with a `rowid`, the name of it in both, the rows keep theirs."""
        driver: Any = self._connection.connection.dbapi_connection
        values: dict[str, str] = {} if rowid is None else {rowid: rowid}
        functions: dict[str, Any] = {}
        for at, column in enumerate(self._copied):
            one = self._retyped.get(column)
            if one is None or not (one.rewritten or one.using):
                values[quoted(column)] = quoted(column)
            elif not one.rewritten:
                values[quoted(column)] = one.value
            else:
                functions[f"migrator_kept_{at}"] = one.kept
                values[quoted(column)] = one.unless_usual(f"migrator_kept_{at}", one.value)
        for name, function in functions.items():
            driver.create_function(name, 2, function)
        try:
            self._insert(f"{self._schema}.{quoted(new)}", f"{self._schema}.{quoted(old)}", values)
        finally:
            for name in functions:
                driver.create_function(name, 2, None)

    def _insert(self, into: str, source: str, values: Mapping[str, str]) -> None:
        columns = f"({', '.join(values)}) SELECT {', '.join(values.values())} FROM {source}"
        self._connection.exec_driver_sql(f"INSERT INTO {into} {columns}")


def free_rowid(*columns: Iterable[str]) -> str | None:
    """Return a name of the rowid that no column has; None if all three are taken."""
    taken = {name.casefold() for names in columns for name in names}
    return next((name for name in _ROWID if name not in taken), None)
