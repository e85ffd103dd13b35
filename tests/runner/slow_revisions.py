"""A project whose revisions take their time: each can be killed in the middle of a long statement."""

BIRTH = """
def upgrade():
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Integer, nullable=False),
        sa.Column("note", sa.Text),
    )
    op.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)"
        " INSERT INTO events (id, kind, note) SELECT i, i % 97, 'note ' || i FROM n"
    )
"""
ONE_LONG_STATEMENT = """
def upgrade():
    op.create_table("pairs", sa.Column("one", sa.Integer), sa.Column("other", sa.Integer))
    op.execute(
        "INSERT INTO pairs SELECT a.id, b.id FROM events a JOIN events b ON b.kind = a.kind AND b.id < 300"
    )
"""
A_REBUILD = """
def upgrade():
    with op.batch_alter_table("events") as batch:
        batch.alter_column("note", type_=sa.String(200), nullable=False, existing_type=sa.Text)
        batch.create_check_constraint("ck_events_kind", "kind >= 0")
"""
SEVERAL_STATEMENTS = """
def upgrade():
    op.create_table("totals", sa.Column("kind", sa.Integer, primary_key=True), sa.Column("count", sa.Integer))
    op.create_index("ix_events_note", "events", ["note"])
    op.add_column("events", sa.Column("length", sa.Integer))
    op.execute("UPDATE events SET length = length(note)")
    op.execute("INSERT INTO totals SELECT kind, count(*) FROM events GROUP BY kind")
    op.drop_table("pairs")
    op.create_index("ix_events_kind", "events", ["kind", "length"])
"""
BODIES = (BIRTH, ONE_LONG_STATEMENT, A_REBUILD, SEVERAL_STATEMENTS)
REVISIONS = ("002", "003", "004")
"""Those that are pending in a database at 001, which has all the rows."""
