"""Hand-made rebuild: the way of people who distrust batch mode; a materialized view and a procedure on PostgreSQL."""

from alembic import op

revision = "0005"
down_revision = "0004"


def replace_changes(columns):
    op.execute("PRAGMA legacy_alter_table = ON")  # or the triggers that write there are in the way
    op.execute(f"CREATE TABLE changes_new ({columns})")
    op.execute("INSERT INTO changes_new SELECT at, what FROM changes")
    op.execute("DROP TABLE changes")
    op.execute("ALTER TABLE changes_new RENAME TO changes")
    op.execute("PRAGMA legacy_alter_table = OFF")


def upgrade():
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP VIEW bylines")
        replace_changes("at INTEGER NOT NULL, what TEXT NOT NULL, PRIMARY KEY (at)")
        op.execute("CREATE VIEW bylines AS SELECT s.title, a.name FROM stories s JOIN authors a ON a.id = s.author_id")
        return
    op.execute(
        """
        DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'changes_pkey') THEN
                ALTER TABLE changes ADD PRIMARY KEY (at);
            END IF;
        END $$;
        CREATE PROCEDURE forget(before integer) LANGUAGE sql AS $$ DELETE FROM changes WHERE at < before $$;
        CREATE MATERIALIZED VIEW totals AS SELECT author_id, count(*) AS stories FROM stories GROUP BY author_id;
        CREATE UNIQUE INDEX totals_key ON totals (author_id);
        CALL forget(0);
        REFRESH MATERIALIZED VIEW totals
        """
    )
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS stories_by_author ON stories (author_id)")
        op.execute("VACUUM (ANALYZE) stories")


def downgrade():
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP VIEW bylines")
        replace_changes("at INTEGER, what TEXT")
        op.execute(
            "CREATE VIEW bylines AS SELECT s.title, a.name, s.words / 300 + 1 AS pages FROM stories s JOIN authors a ON a.id = s.author_id"
        )
        return
    op.execute(
        "DROP INDEX stories_by_author; DROP MATERIALIZED VIEW totals; DROP PROCEDURE forget;"
        " ALTER TABLE changes DROP CONSTRAINT changes_pkey;"
    )
    op.execute("ALTER TABLE changes ALTER at DROP NOT NULL")
