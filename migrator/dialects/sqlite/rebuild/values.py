"""Which stored values a column of another type can have: those that mean the same in it, to SQLAlchemy and on PostgreSQL.

SQLite stores nearly every value in every column. What it changes by itself is the column's affinity (sqlite.org/datatype3.html).
"""

import json
import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from functools import cached_property
from typing import Any, NoReturn
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator, TypeEngine

from migrator.alembic_private import variants

_AFFINITIES = (
    ("INTEGER", ("INT",)),
    ("TEXT", ("CHAR", "CLOB", "TEXT")),
    ("BLOB", ("BLOB",)),
    ("REAL", ("REAL", "FLOA", "DOUB")),
)
# The first that a type is; Interval is a TypeDecorator of DateTime, Float is a Numeric, Enum a String.
_FAMILIES: tuple[tuple[str, type[TypeEngine[Any]]], ...] = (
    ("boolean", sa.Boolean),
    ("integer", sa.Integer),
    ("float", sa.Float),
    ("numeric", sa.Numeric),
    ("json", sa.JSON),
    ("datetime", sa.DateTime),
    ("date", sa.Date),
    ("time", sa.Time),
    ("uuid", sa.Uuid),
    ("blob", sa.LargeBinary),
    ("text", sa.String),
)
_SPACE = " \t\n\v\f\r"
_NUMBER = re.compile(rf"[{_SPACE}]*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[{_SPACE}]*", re.ASCII)
_SPELLINGS = {  # what CURRENT_TIMESTAMP and its like write, and SQLAlchemy
    datetime: re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?", re.ASCII),
    date: re.compile(r"\d{4}-\d\d-\d\d", re.ASCII),
    time: re.compile(r"\d\d:\d\d:\d\d(\.\d{1,6})?", re.ASCII),
}
_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d)[ T]00:00(:00(\.0*)?)?", re.ASCII)
# SQL that is true for a date or a moment as SQLAlchemy writes it, or CURRENT_TIMESTAMP, and that exists; and samples of both.
_USUAL = {
    "date": ("typeof({x}) = 'text' AND date({x}) = {x} AND substr({x}, 1, 4) > '0000'", ("2024-05-06",)),
    "datetime": (
        "typeof({x}) = 'text' AND datetime({x}) = substr({x}, 1, 19) AND substr({x}, 1, 4) > '0000' AND {x} NOT GLOB '*[^-0-9 :.]*' "
        "AND (length({x}) = 19 OR (length({x}) = 26 AND substr({x}, 20, 1) = '.'))",
        ("2024-05-06 07:08:09", "2024-05-06 07:08:09.123456"),
    ),
}
_EXACT = 2**53  # every whole number up to this is a REAL


class Unfit(Exception):
    """The value would mean something else in the new column, or nothing."""


def affinity(declared: str) -> str:
    """Return the affinity of a column that is declared with this type, as SQLite finds it."""
    upper = declared.upper()
    if not upper:
        return "BLOB"
    return next((name for name, words in _AFFINITIES if any(word in upper for word in words)), "NUMERIC")


class Kind:
    """What can be in a column: its type in the revision or as reflected, and as SQLite declares it."""

    def __init__(self, type_: TypeEngine[Any], declared: str, dialect: sa.Dialect) -> None:
        self.declared, self.affinity = declared, affinity(declared)
        self._written, self._dialect = type_, dialect
        self._type = inner = type_.dialect_impl(dialect)
        while isinstance(inner, TypeDecorator):
            inner = inner.impl_instance
        self._inner = inner
        self.decorated = isinstance(type_, TypeDecorator)
        self.family = next((name for name, cls in _FAMILIES if isinstance(inner, cls)), "other")
        self.enum = isinstance(inner, sa.Enum)

    @cached_property
    def length(self) -> int | None:
        """The most characters of a text."""
        found = re.search(r"\(\s*(\d+)\s*\)", self.declared) if self.affinity == "TEXT" else None
        return int(found[1]) if found else None

    @cached_property
    def bits(self) -> int:
        """The size of a whole number, as PostgreSQL stores it; of a type with variants the largest."""
        types = [self._inner] if self.decorated else [self._written, *variants(self._written)]
        return max(16 if isinstance(t, sa.SmallInteger) else 32 if _is_plain_integer(t) else 64 for t in types)

    @cached_property
    def digits(self) -> tuple[float, float]:
        """The most digits of a number before and after its point."""
        precision, scale = getattr(self._inner, "precision", None), getattr(self._inner, "scale", None)
        if self.family != "numeric" or precision is None:
            return float("inf"), float("inf")
        return precision - (scale or 0), scale or 0

    def holds_all_of(self, old: "Kind") -> bool:
        """Return whether each value of the old column can stay as it is, so that none has to be looked at."""
        if self.decorated or (self.affinity, self.family) != (old.affinity, old.family):
            return False
        shorter = self.length is not None and (old.length is None or self.length < old.length)
        narrower = any(mine < theirs for mine, theirs in zip(self.digits, old.digits, strict=True))
        return not (shorter or narrower or (self.family == "integer" and self.bits < old.bits))

    @property
    def cast(self) -> str:
        """The type to which a CAST does what the affinity does to a text that is a number; one to INTEGER would cut it off at 64 bits."""
        return "NUMERIC" if self.affinity == "INTEGER" else self.affinity

    def quickly(self, value: str, old: "Kind") -> str:
        """Return SQL that is true only for values that fit and stay as they are: the usual ones, so that Python sees only the others."""
        whole = f"typeof({value}) = 'integer' AND {value} BETWEEN"
        match self.family if self.family in _USUAL or not self.decorated else "":
            case "integer":
                number, ends = f"CAST({value} AS INTEGER)", f"{-(2 ** (self.bits - 1))} AND {2 ** (self.bits - 1) - 1}"
                digits = f"typeof({value}) = 'text' AND CAST({number} AS TEXT) = {value} AND {number} BETWEEN {ends}"
                return f"{whole} {ends} OR {digits}"
            case "boolean":
                return f"{whole} 0 AND 1"
            case "numeric" | "float" as family:
                most = int(min(_EXACT, 10 ** min(self.digits[0], 18) - 1))
                return f"{whole} {-most} AND {most}" + (f" OR typeof({value}) = 'real'" if family == "float" else "")
            case "text" if not self.enum and self.affinity == "TEXT":
                kinds = "'text'" if old.family == "boolean" else "'text', 'integer'"
                short = "" if self.length is None else f" AND length({value}) <= {self.length}"
                return f"typeof({value}) IN ({kinds}){short}"
            case "blob" if self.affinity == "BLOB":
                return f"typeof({value}) = 'blob'"
            case "date" | "datetime" as family:
                usual, samples = _USUAL[family]
                return usual.format(x=value) if self._reads(samples) else "0"
        return "0"

    def _reads(self, samples: Sequence[str]) -> bool:
        """Return whether the type takes dates in the usual spelling; it may have one of its own."""
        try:
            return all(self.fit(sample, sample, self) is sample for sample in samples)
        except Exception:
            return False

    def fit(self, value: Any, converted: Any, old: "Kind") -> Any:
        """Return what to store for a value, mostly itself. `converted` is the value as `cast` makes it.

        A date, time or UUID that SQLAlchemy reads but does not write so is written anew, because SQLite compares texts. Raises Unfit,
        or what the type itself raises.
        """
        is_bytes = isinstance(value, bytes)
        if is_bytes is not (self.family == "blob") and self.family != "other":
            raise Unfit
        stored = value if is_bytes or not self._is_converted(value) else converted
        stored = self._check(value, stored, old)
        if self.length is not None and self.family == "text" and not self.decorated and len(stored) > self.length:
            raise Unfit
        return value if self._read is None else self._rewritten(value, stored)

    @cached_property
    def _check(self) -> Callable[[Any, Any, "Kind"], Any]:
        found: Callable[[Any, Any, Kind], Any] = getattr(self, f"_fit_{self.family}", self._fit_other)
        return found

    def _is_converted(self, value: Any) -> bool:
        if isinstance(value, str):
            return self.affinity in ("INTEGER", "REAL", "NUMERIC") and _NUMBER.fullmatch(value) is not None
        return self.affinity in ("TEXT", "REAL")

    def _fit_integer(self, value: Any, stored: Any, old: "Kind") -> Any:
        whole = isinstance(stored, int) or (isinstance(stored, float) and stored.is_integer())
        most = 2 ** (self.bits - 1)
        if not whole or not -most <= stored < most or (isinstance(value, str) and set(value) & set(".eE")):
            raise Unfit
        return int(stored)

    def _fit_boolean(self, value: Any, stored: Any, old: "Kind") -> Any:
        return stored if stored in (0, 1) and str(value).strip(_SPACE) in ("0", "1") else _refuse()

    def _fit_numeric(self, value: Any, stored: Any, old: "Kind") -> Any:
        if not isinstance(stored, int | float):
            raise Unfit
        read = self._plain_read
        meant, most = _exact(value), Decimal(10) ** Decimal(min(self.digits[0], 400))
        if _exact(stored if read is None else read(stored)) != meant or meant.copy_abs() >= most:
            raise Unfit
        return stored

    _fit_float = _fit_numeric

    def _fit_json(self, value: Any, stored: Any, old: "Kind") -> Any:
        meant = json.loads(value, parse_constant=_refuse) if isinstance(value, str) else value
        if not isinstance(stored, str) and (isinstance(meant, bool | str) or _exact(stored) != _exact(value)):
            raise Unfit
        return stored

    def _fit_text(self, value: Any, stored: Any, old: "Kind") -> Any:
        if old.family == "boolean" and not isinstance(value, str):
            raise Unfit  # SQLite has 1 where PostgreSQL has 'true'
        return self._fit_other(value, stored, old)

    def _fit_date(self, value: Any, stored: Any, old: "Kind") -> Any:
        midnight = _MIDNIGHT.fullmatch(stored)
        return midnight[1] if midnight else stored

    def _fit_other(self, value: Any, stored: Any, old: "Kind") -> Any:
        if stored is value:
            return value
        if isinstance(stored, int | float) and isinstance(value, str):
            return stored if str(stored) == value else _refuse()
        return stored if _exact(stored) == _exact(value) else _refuse()

    def _rewritten(self, value: Any, stored: Any) -> Any:
        assert self._read is not None
        read = self._read(stored)
        if not isinstance(read, date | time | UUID):
            return value
        if getattr(read, "tzinfo", None) is not None and not self.decorated:
            return value if getattr(self._inner, "timezone", False) else _refuse()
        spelling = _SPELLINGS.get(type(read))
        if spelling is not None and spelling.fullmatch(stored):
            return stored
        written = stored if self._write is None else self._write(read)
        return written if self._read(written) == read else _refuse()

    @cached_property
    def _read(self) -> Callable[[Any], Any] | None:
        return self._type.result_processor(self._dialect, None)

    @cached_property
    def _plain_read(self) -> Callable[[Any], Any] | None:
        return self._inner.result_processor(self._dialect, None)

    @cached_property
    def _write(self) -> Callable[[Any], Any] | None:
        return self._type.bind_processor(self._dialect)


def _is_plain_integer(type_: object) -> bool:
    return isinstance(type_, sa.Integer) and not isinstance(type_, sa.BigInteger)


def _exact(value: Any) -> Decimal:
    """Return a number, or the text of one, without rounding it."""
    return Decimal(repr(value) if isinstance(value, float) else value)


def _refuse(_: object = None) -> NoReturn:
    raise Unfit
