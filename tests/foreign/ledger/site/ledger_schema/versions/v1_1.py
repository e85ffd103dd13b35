"""An entry belongs to a book."""

import sqlalchemy as sa
from alembic import op

revision = "1.1"
down_revision = "1.0"


def upgrade():
    bind = op.get_bind()
    bind.execute(sa.text("INSERT INTO books (name) SELECT DISTINCT book FROM entries ORDER BY book"))
    with op.batch_alter_table("entries") as batch_op:
        batch_op.add_column(sa.Column("book_id", sa.Integer, nullable=True))
        batch_op.add_column(sa.Column("booked", sa.Date, nullable=True))
    bind.execute(sa.text("UPDATE entries SET book_id = (SELECT id FROM books WHERE name = entries.book)"))
    with op.batch_alter_table("entries") as batch_op:
        batch_op.alter_column("book_id", existing_type=sa.Integer, nullable=False)
        batch_op.create_foreign_key("fk_entries_book", "books", ["book_id"], ["id"])
        batch_op.drop_column("book")
