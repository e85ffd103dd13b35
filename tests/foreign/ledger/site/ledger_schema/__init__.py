from sqlalchemy import Column, Date, ForeignKey, Integer, MetaData, Numeric, String, Table

metadata = MetaData()
books = Table(
    "books", metadata, Column("id", Integer, primary_key=True), Column("name", String(40), nullable=False, unique=True)
)
entries = Table(
    "entries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("book_id", ForeignKey("books.id", name="fk_entries_book"), nullable=False),
    Column("amount", Numeric(14, 2), nullable=False),
    Column("booked", Date),
)
