"""Which stored values a column of another type can have: those that mean the same in it, to SQLAlchemy and on PostgreSQL.

SQLite stores nearly every value in every column. What it changes by itself is the column's affinity (sqlite.org/datatype3.html).
"""

import json
import re
import struct
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
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
_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d)[ T]00:00(:00(\.0*)?)?", re.ASCII)
_SERVERS = {  # what CURRENT_TIMESTAMP and CURRENT_TIME write, and UTCDateTime; SQLAlchemy's own types add `.000000`, and may hold both
    datetime: re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII),
    time: re.compile(r"\d\d:\d\d:\d\d", re.ASCII),
}
_BELOW_MICROSECONDS = re.compile(r"[.,]\d{6}\d*[1-9]", re.ASCII)  # SQLAlchemy cuts it off, PostgreSQL rounds
_BLANK_PADDED = re.compile(
    r"\s*(?:(?:N|NATIONAL\s+)?CHAR|(?:NATIONAL\s+)?CHARACTER)\s*(?:\(\s*(\d+)\s*\)\s*)?", re.IGNORECASE
)
DOUBLE, _SINGLE = 53, 24  # every whole number of so many bits is a floating point number of 64 bits, of 32


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

    @cached_property
    def length(self) -> int | None:
        """The most characters of a text."""
        found = re.search(r"\(\s*(\d+)\s*\)", self.declared) if self.affinity == "TEXT" else None
        return int(found[1]) if found else None

    @cached_property
    def padded(self) -> int | None:
        """The length to which PostgreSQL fills a text up with blanks; it cuts them off again where the text gets another type."""
        found = _BLANK_PADDED.fullmatch(self.declared) if self.family == "text" else None
        return int(found[1] or 1) if found else None

    @cached_property
    def members(self) -> frozenset[str] | None:
        """The texts that an Enum has; None for another type."""
        return frozenset(self._inner.enums) if isinstance(self._inner, sa.Enum) else None

    @property
    def _everywhere(self) -> list[TypeEngine[Any]]:
        return [self._inner] if self.decorated else [self._written, *variants(self._written)]

    @cached_property
    def bits(self) -> int:
        """The size of a whole number, as PostgreSQL stores it; of a type with variants the largest."""
        return max(
            16 if isinstance(t, sa.SmallInteger) else 32 if _is_plain_integer(t) else 64 for t in self._everywhere
        )

    @cached_property
    def mantissa(self) -> int:
        """The bits of the digits of a floating point number, as PostgreSQL stores it; of a type with variants the most."""
        return max(_SINGLE if _is_single(t) else DOUBLE for t in self._everywhere)

    @cached_property
    def digits(self) -> tuple[float, float]:
        """The most digits of a number before and after its point."""
        precision, scale = getattr(self._inner, "precision", None), getattr(self._inner, "scale", None)
        if self.family != "numeric" or precision is None:
            return float("inf"), float("inf")
        return precision - (scale or 0), scale or 0

    def holds_all_of(self, old: "Kind") -> bool:
        """Return whether each value of the old column can stay as it is, so that none has to be looked at."""
        if self.decorated or (self.affinity, self.family) != (old.affinity, old.family) or self.padded != old.padded:
            return False
        if self.members is not None and (old.members is None or not old.members <= self.members):
            return False
        shorter = self.length is not None and (old.length is None or self.length < old.length)
        narrower = any(mine < theirs for mine, theirs in zip(self.digits, old.digits, strict=True))
        return not (shorter or narrower or self.bits < old.bits or self.mantissa < old.mantissa)

    @property
    def cast(self) -> str:
        """The type to which a CAST does what the affinity does to a text that is a number; one to INTEGER would cut it off at 64 bits."""
        return "NUMERIC" if self.affinity == "INTEGER" else self.affinity

    def is_cut_for(self, new: "Kind") -> bool:
        """Return whether PostgreSQL cuts the blanks off the end of a text of this type, when it becomes one of the new type."""
        return self.padded is not None and new.padded is None

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
        if self.family == "text":
            self._check_length(stored, old)
        return value if self._read is None else self._rewritten(value, stored)

    @cached_property
    def _check(self) -> Callable[[Any, Any, "Kind"], Any]:
        found: Callable[[Any, Any, Kind], Any] = getattr(self, f"_fit_{self.family}", self._fit_other)
        return found

    def _check_length(self, stored: str, old: "Kind") -> None:
        if old.is_cut_for(self) and stored.endswith(" "):
            raise Unfit
        if self.decorated:
            return  # its own texts may be shorter or longer than those of the SQL type
        if (self.length is not None and len(stored) > self.length) or self.padded not in (None, len(stored)):
            raise Unfit

    def _is_converted(self, value: Any) -> bool:
        if isinstance(value, str):
            return self.affinity in ("INTEGER", "REAL", "NUMERIC") and _NUMBER.fullmatch(value) is not None
        return self.affinity in ("TEXT", "REAL")

    def _fit_integer(self, value: Any, stored: Any, old: "Kind") -> Any:
        whole = isinstance(stored, int) or (isinstance(stored, float) and stored.is_integer())
        most = 2 ** (self.bits - 1)
        if not whole or not -most <= stored < most or (isinstance(value, str) and set(value) & set(".eE")):
            raise Unfit
        return (
            int(stored) if _exact(stored) == _exact(value) else _refuse()
        )  # a text beyond 64 bits is a rounded number already

    def _fit_boolean(self, value: Any, stored: Any, old: "Kind") -> Any:
        return stored if stored in (0, 1) and str(value).strip(_SPACE) in ("0", "1") else _refuse()

    def _fit_numeric(self, value: Any, stored: Any, old: "Kind") -> Any:
        if not isinstance(stored, int | float):
            raise Unfit
        read = self._plain_read
        meant, most = _exact(value), Decimal(10) ** Decimal(min(self.digits[0], 400))
        if _exact(stored if read is None else read(stored)) != meant or meant.copy_abs() >= most:
            raise Unfit
        if self.digits[1] != float("inf") and (Fraction(meant) * Fraction(10) ** int(self.digits[1])).denominator != 1:
            raise Unfit
        return stored

    def _fit_float(self, value: Any, stored: Any, old: "Kind") -> Any:
        stored = self._fit_numeric(value, stored, old)
        return stored if self.mantissa == DOUBLE or _in_32_bits(stored) == stored else _refuse()

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
        if not isinstance(read, date | time | timedelta | UUID) and (self.decorated or self.family != "uuid"):
            return value
        if isinstance(stored, str) and _BELOW_MICROSECONDS.search(stored):
            raise Unfit
        if getattr(read, "tzinfo", None) is not None and not self.decorated:
            return value if getattr(self._inner, "timezone", False) else _refuse()
        servers = None if self.decorated else _SERVERS.get(type(read))
        if servers is not None and servers.fullmatch(stored):
            return value if stored == value else stored
        written = stored if self._write is None else self._write(read)
        if self._read(written) != read:
            raise Unfit
        return value if written == value else written

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


def _is_single(type_: object) -> bool:
    """Return whether PostgreSQL stores it in 32 bits: REAL, and FLOAT(n) up to 24."""
    return isinstance(type_, sa.Float) and (isinstance(type_, sa.REAL) or (type_.precision or DOUBLE) <= _SINGLE)


def _in_32_bits(value: float) -> float:
    """Return what PostgreSQL shows of a number that it stores in 32 bits: the shortest decimal that means those."""
    stored = struct.pack("f", value)
    (single,) = struct.unpack("f", stored)
    shown = (float(f"{single:.{digits}g}") for digits in range(1, 10))
    return next((near for near in shown if struct.pack("f", near) == stored), single)


def _exact(value: Any) -> Decimal:
    """Return a number, or the text of one, without rounding it."""
    return Decimal(repr(value) if isinstance(value, float) else value)


def _refuse(_: object = None) -> NoReturn:
    raise Unfit
