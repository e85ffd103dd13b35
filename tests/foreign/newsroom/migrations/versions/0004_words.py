"""Words are counted, through an ORM session and models of this file."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.orm import Session, declarative_base, relationship

revision = "0004"
down_revision = "0003"

Base = declarative_base()


class Author(Base):
    __tablename__ = "authors"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String(60))
    total = sa.Column(sa.Integer)
    stories = relationship("Story", back_populates="author")


class Story(Base):
    __tablename__ = "stories"
    id = sa.Column(sa.Integer, primary_key=True)
    author_id = sa.Column(sa.ForeignKey("authors.id"))
    title = sa.Column(sa.String(100))
    words = sa.Column(sa.Integer)
    author = relationship("Author", back_populates="stories")


def rebuild(**options):
    bind = op.get_bind()
    views = []
    if bind.dialect.name == "sqlite":  # batch mode fails on a table that a view reads
        views = bind.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'view'").fetchall()
    for name, _ in views:
        op.execute(f"DROP VIEW {name}")
    with op.batch_alter_table("stories") as batch_op:
        batch_op.alter_column("words", existing_type=sa.Integer(), **options)
    for _, sql in views:
        op.execute(sql)


def upgrade():
    op.add_column("authors", sa.Column("total", sa.Integer))
    with Session(bind=op.get_bind()) as session:
        for author in session.query(Author).order_by(Author.id):
            author.total = sum(story.words or 0 for story in author.stories)
            with session.begin_nested():
                author.stories.append(Story(id=100 + author.id, title=f"About {author.name}"))
        session.commit()
        session.query(Story).filter(Story.words.is_(None)).update({"words": 0}, synchronize_session=False)
        session.commit()
    rebuild(nullable=False, server_default="0")


def downgrade():
    rebuild(nullable=True, server_default=None)
    op.execute("DELETE FROM stories WHERE id > 100")
    op.drop_column("authors", "total")
