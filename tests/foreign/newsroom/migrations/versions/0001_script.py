"""A script of several statements, as a dump has them."""

from alembic import op

revision = "0001"
down_revision = None

SCRIPT = """
-- authors; not "users"
CREATE TABLE authors (id INTEGER PRIMARY KEY, name VARCHAR(60) NOT NULL, note TEXT DEFAULT 'a;b');
CREATE TABLE stories (
    id INTEGER PRIMARY KEY,
    author_id INTEGER NOT NULL REFERENCES authors (id) ON DELETE CASCADE,
    title VARCHAR(100) NOT NULL CHECK (title <> ''), /* never empty; ever */
    words INTEGER
);
CREATE INDEX stories_by_title ON stories (lower(title));
INSERT INTO authors (id, name) VALUES (1, 'O''Hara; Ann'), (2, '100 % "Bob"');
"""


def statements(script):
    # sqlite3 executes one statement at a time.
    import sqlite3

    found = ""
    for line in script.splitlines(keepends=True):
        found += line
        if sqlite3.complete_statement(found):
            yield found
            found = ""


def upgrade():
    bind = op.get_bind()
    if bind.dialect.name == "sqlite":
        for statement in statements(SCRIPT):
            bind.exec_driver_sql(statement)
    else:
        bind.exec_driver_sql(SCRIPT.replace("%", "%%"))


def downgrade():
    op.execute("DROP TABLE stories")
    op.execute("DROP TABLE authors")
