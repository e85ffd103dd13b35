"""What stories are read through: views, functions and triggers."""

from alembic import op

revision = "0002"
down_revision = "0001"

POSTGRESQL = """
CREATE TABLE changes (at INTEGER, what TEXT);
CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    INSERT INTO changes SELECT count(*), TG_OP || ': ' || NEW.title FROM changes;
    RETURN NEW;
END;
$body$;
CREATE TRIGGER stories_changed AFTER INSERT OR UPDATE OF title ON stories FOR EACH ROW EXECUTE FUNCTION note_change();
CREATE OR REPLACE FUNCTION pages(words integer) RETURNS integer IMMUTABLE RETURN words / 300 + 1;
CREATE VIEW bylines AS SELECT s.title, a.name, pages(s.words) AS pages FROM stories s JOIN authors a ON a.id = s.author_id;
COMMENT ON VIEW bylines IS 'read by the site; begin here';
"""
SQLITE = (
    "CREATE TABLE changes (at INTEGER, what TEXT)",
    """CREATE TRIGGER stories_changed AFTER UPDATE OF title ON stories BEGIN
        INSERT INTO changes SELECT count(*), 'UPDATE: ' || NEW.title FROM changes;
    END""",
    """CREATE TRIGGER stories_added AFTER INSERT ON stories BEGIN
        INSERT INTO changes SELECT count(*), 'INSERT: ' || NEW.title FROM changes;
    END""",
    "CREATE VIEW bylines AS SELECT s.title, a.name, s.words / 300 + 1 AS pages FROM stories s JOIN authors a ON a.id = s.author_id",
)


def upgrade():
    if op.get_bind().dialect.name == "postgresql":
        op.execute(POSTGRESQL)
    else:
        for statement in SQLITE:
            op.execute(statement)


def downgrade():
    op.execute("DROP VIEW bylines")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER stories_changed ON stories; DROP FUNCTION note_change(); DROP FUNCTION pages(integer)")
    else:
        op.execute("DROP TRIGGER IF EXISTS stories_changed")
        op.execute("DROP TRIGGER IF EXISTS stories_added")
    op.execute("DROP TABLE changes")
