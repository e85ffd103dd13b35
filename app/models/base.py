"""What every table has in common: the naming convention, the column types, a UUID for a key, the time stamps."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CheckConstraint, MetaData, event, text
from sqlalchemy.orm import DeclarativeBase, Mapped, QueryableAttribute, mapped_column

from migrator.types import GUID, JSONDocument, UTCDateTime

NAMING_CONVENTION = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}

# Texts that both databases read alike: `now()` and `1` each belong to one of them only.
NOW = text("CURRENT_TIMESTAMP")
TRUE = text("true")
ZERO = text("0")

# The sort order of a column that a later revision added: it stands last, in the models as in a migrated table.
ADDED = 3


class Base(DeclarativeBase):
    """The declarative base: an annotation alone decides a column's type, the convention every name."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it as an attribute of the class
        uuid.UUID: GUID(),
        datetime: UTCDateTime(),
        dict[str, Any]: JSONDocument(),
        list[Any]: JSONDocument(),
    }


class Identified:
    """A primary key `id`, made in Python, so that an object knows its own before it is stored."""

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4, sort_order=-1)


class Created:
    """When the row was stored, by the database's clock."""

    created_at: Mapped[datetime] = mapped_column(server_default=NOW, sort_order=1)


class Timestamped(Created):
    """When the row was stored, and when the ORM last changed it."""

    updated_at: Mapped[datetime] = mapped_column(server_default=NOW, onupdate=lambda: datetime.now(UTC), sort_order=2)


def one_of(column: str, *words: str) -> CheckConstraint:
    """A CHECK, named after its column, that holds it to a closed set of words."""
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def not_negative(column: str) -> CheckConstraint:
    """A CHECK that keeps a counter at zero or above."""
    return CheckConstraint(f"{column} >= 0", name=f"{column}_not_negative")


@event.listens_for(Base, "attribute_instrument", propagate=True)
def _read_guids_on_assignment(owner: type[Base], key: str, attribute: QueryableAttribute[Any]) -> None:
    """Turn the text of a UUID into the UUID when it is assigned.

    The session knows a row by its key: kept as text until the flush, one row would become two objects. Whatever is not
    a UUID's text is left for the type to refuse.
    """
    columns = getattr(attribute.property, "columns", ())
    if columns and isinstance(columns[0].type, GUID):
        event.listen(attribute, "set", _read_guid, retval=True)


def _read_guid(target: Base, value: Any, previous: Any, initiator: Any) -> Any:
    if isinstance(value, str):
        try:
            return uuid.UUID(value)
        except ValueError:
            return value
    return value
