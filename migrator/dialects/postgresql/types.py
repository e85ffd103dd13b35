"""What the types of `migrator.types` are on PostgreSQL. What one stores never changes once a revision has used it."""

from typing import Any

from sqlalchemy import BigInteger, DateTime
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.types import TypeEngine


def uuid_type() -> TypeEngine[Any]:
    """Return the type of a UUID: native."""
    return UUID(as_uuid=True)


def json_type() -> TypeEngine[Any]:
    """Return the type of a JSON document: `JSONB`, with SQL NULL for none."""
    return JSONB(none_as_null=True)


def timestamp_type() -> TypeEngine[Any]:
    """Return the type of a moment: `TIMESTAMP WITH TIME ZONE`."""
    return DateTime(timezone=True)


def identity_type() -> TypeEngine[Any]:
    """Return the type of a primary key that counts upwards: `BIGINT`."""
    return BigInteger()
