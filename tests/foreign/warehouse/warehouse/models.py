import enum

from sqlalchemy import Enum, ForeignKey, MetaData, String, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Unit(enum.Enum):
    piece = "pcs"
    kilogram = "kg"


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=CONVENTION)


class Item(Base):
    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(String(30), unique=True)
    unit: Mapped[Unit] = mapped_column(Enum(Unit, name="unit"), server_default="piece")
    labels: Mapped[list[str]] = mapped_column(ARRAY(String), server_default="{}")


class Movement(Base):
    __tablename__ = "movements"
    __table_args__ = ({"schema": "audit"},)

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey(Item.id, ondelete="CASCADE"), index=True)
    quantity: Mapped[int]
    note: Mapped[dict] = mapped_column(JSONB, server_default=func.jsonb_build_object())
