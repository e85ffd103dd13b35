"""Three branches at once, after the first merge."""

from tests.foreign.helpdesk.changes import Change, altered, batch, column, data, index, only, outside, table
from tests.foreign.helpdesk.revisions import line

_AUTHOR = 'sa.Enum("agent", "customer", name="author", create_constraint=True)'
LARGER = 'sa.Enum("agent", "customer", "robot", name="author", create_constraint=True)'

REPLIES = line(
    (
        "messages are replies",
        Change(
            'op.drop_index(op.f("messages_ticket_id_idx"), table_name="messages")\nop.rename_table("messages", "replies")',
            'op.rename_table("replies", "messages")\nop.create_index(op.f("messages_ticket_id_idx"), "messages", ["ticket_id"])',
        ),
        index("replies", "ticket_id"),
    ),
    (
        "what replies say of themselves",
        data("""
replies = sa.table("replies", sa.column("id", sa.Integer), sa.column("meta", sa.JSON))
for id_, meta in bind.execute(sa.select(replies.c.id, replies.c.meta)).all():
    bind.execute(replies.update().where(replies.c.id == id_).values(meta={**(meta or {}), "version": 2}))
"""),
    ),
    (
        "who wrote a reply",
        only("postgresql", data(f"{_AUTHOR}.create(bind, checkfirst=True)", 'sa.Enum(name="author").drop(bind)')),
        batch(
            "replies",
            f'add_column(sa.Column("author", {_AUTHOR}, server_default="agent", nullable=False))',
            'drop_column("author")',
            # On PostgreSQL stock Alembic copies the table and leaves its temporary name in a sequence and in constraints.
            recreate="'always' if op.get_bind().dialect.name == 'sqlite' else 'auto'",
        ),
        only(
            "sqlite",
            batch("replies", "f('nothing')", 'drop_constraint(batch_op.f("replies_author_check"), type_="check")'),
        ),
    ),
    (
        "robots write replies",
        only(
            "postgresql",
            outside(Change("op.execute(\"ALTER TYPE author ADD VALUE IF NOT EXISTS 'robot'\")", "pass")),
            altered(
                "replies",
                "author",
                f'type_={_AUTHOR}, existing_type={LARGER}, existing_server_default="agent"',
                f'type_={LARGER}, existing_type={_AUTHOR}, existing_server_default="agent"',
            ),
        ),
    ),
    (
        "what a robot wrote",
        data(
            """bind.execute(sa.text("UPDATE replies SET author = 'robot' WHERE body = 'ping'"))""",
            """bind.execute(sa.text("UPDATE replies SET author = 'agent' WHERE body = 'ping'"))""",
        ),
    ),
    (
        "attachments",
        table(
            "attachments",
            'sa.Column("reply_id", sa.Integer(), sa.ForeignKey("replies.id", ondelete="CASCADE"), nullable=False)',
            'sa.Column("name", sa.String(length=100), nullable=False)',
            'sa.Column("content", sa.LargeBinary(), nullable=True)',
        ),
    ),
    after=("merge billing and policies",),
)
AGENTS = line(
    (
        "agents have a manager",
        batch(
            "agents",
            'add_column(sa.Column("manager_id", sa.Integer(), nullable=True))\n'
            'create_foreign_key(batch_op.f("agents_manager_id_fkey"), "agents", ["manager_id"], ["id"], ondelete="SET NULL")\n'
            'create_index(batch_op.f("agents_manager_id_idx"), ["manager_id"], unique=False)',
            'drop_index(batch_op.f("agents_manager_id_idx"))\n'
            'drop_constraint(batch_op.f("agents_manager_id_fkey"), type_="foreignkey")\n'
            'drop_column("manager_id")',
        ),
        data('bind.execute(sa.text("UPDATE agents SET manager_id = 1 WHERE id > 1"))'),
    ),
    ("agents have a state", column("agents", "state", "sa.String(length=10), nullable=True")),
    (
        "agents are in a state",
        data("""bind.execute(sa.text("UPDATE agents SET state = CASE WHEN active THEN 'on' ELSE 'off' END"))"""),
        batch(
            "agents",
            'drop_column("active")\nalter_column("state", existing_type=sa.String(length=10), nullable=False)',
            'add_column(sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False))\n'
            'alter_column("state", existing_type=sa.String(length=10), nullable=True)',
        ),
    ),
    after=("merge billing and policies",),
)
SETTINGS = line(
    ("accounts have settings", column("accounts", "settings", 'sa.JSON(), server_default="{}", nullable=False')),
    (
        "settings of paying accounts",
        data("""
accounts = sa.table("accounts", sa.column("id"), sa.column("plan", sa.String), sa.column("settings", sa.JSON))
bind.execute(accounts.update().where(sa.cast(accounts.c.plan, sa.String) == "paid").values(settings={"seats": 5, "théme": "dark"}))
"""),
    ),
    (
        "settings have no default",
        altered(
            "accounts",
            "settings",
            'existing_type=sa.JSON(), server_default="{}"',
            "existing_type=sa.JSON(), server_default=None",
        ),
    ),
    after=("merge billing and policies",),
)
