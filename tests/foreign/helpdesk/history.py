"""The history itself: a trunk that forks twice, once into three, and a labelled branch of its own that depends on the trunk."""

from dataclasses import replace

from tests.foreign.helpdesk.changes import Change, altered, batch, column, data, index, only, outside, renamed, table
from tests.foreign.helpdesk.revisions import Revision, line, merge

_ACCOUNT = (
    'sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("{}_account_id_fkey"), ondelete="CASCADE")'
)
_AUTHOR = 'sa.Enum("agent", "customer", name="author", create_constraint=True)'
_LARGER = 'sa.Enum("agent", "customer", "robot", name="author", create_constraint=True)'
_NOW = 'sa.DateTime(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False'

_FOUNDATION = line(
    (
        "create accounts",
        table(
            "accounts",
            'sa.Column("name", sa.String(length=80), nullable=False)',
            'sa.Column("plan", sa.Enum("free", "paid", name="plan", create_constraint=True), nullable=False)',
            f'sa.Column("created_at", {_NOW})',
            enums=("plan",),
        ),
    ),
    (
        "create agents",
        table(
            "agents",
            'sa.Column("account_id", sa.Integer(), nullable=False)',
            'sa.Column("email", sa.String(length=60), nullable=True)',
            'sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False)',
            _ACCOUNT.format("agents"),
            'sa.UniqueConstraint("email")',
        ),
    ),
    (
        "create tickets",
        table(
            "tickets",
            'sa.Column("account_id", sa.Integer(), nullable=False)',
            'sa.Column("agent_id", sa.Integer(), nullable=True)',
            'sa.Column("subject", sa.String(length=200), nullable=False)',
            'sa.Column("status", sa.String(length=10), server_default="open", nullable=False)',
            f'sa.Column("created_at", {_NOW})',
            _ACCOUNT.format("tickets"),
            'sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("tickets_agent_id_fkey"), ondelete="SET NULL")',
            "sa.CheckConstraint(\"status IN ('open', 'done')\", name=\"status\")",
        ),
    ),
    (
        "create messages",
        table(
            "messages",
            'sa.Column("ticket_id", sa.Integer(), sa.ForeignKey("tickets.id", ondelete="CASCADE"), nullable=False)',
            'sa.Column("body", sa.Text(), nullable=False)',
            'sa.Column("meta", sa.JSON(), nullable=True)',
        ),
    ),
    ("index what is looked up", index("tickets", "status"), index("messages", "ticket_id")),
)
_EARLY = line(
    ("tickets have a priority", column("tickets", "priority", 'sa.Integer(), server_default="3", nullable=False')),
    (
        "an agent has a longer address",
        altered(
            "agents",
            "email",
            "type_=sa.String(length=60), existing_type=sa.String(length=254), nullable=True",
            "type_=sa.String(length=254), existing_type=sa.String(length=60), nullable=False",
        ),
    ),
    (
        "addresses in lower case",
        data("""
agents = sa.table("agents", sa.column("id", sa.Integer), sa.column("email", sa.String))
for id_, email in bind.execute(sa.select(agents.c.id, agents.c.email)).all():
    bind.execute(agents.update().where(agents.c.id == id_).values(email=email.lower()))
"""),
    ),
    ("an account has a title", renamed("accounts", "name", "title", "existing_type=sa.String(length=80)")),
    (
        "tags",
        table("tags", 'sa.Column("word", sa.String(length=30), nullable=False)'),
        table(
            "ticket_tags",
            'sa.Column("ticket_id", sa.Integer(), sa.ForeignKey("tickets.id", ondelete="CASCADE"), nullable=False)',
            'sa.Column("tag_id", sa.Integer(), sa.ForeignKey("tags.id"), nullable=False)',
            key="ticket_id, tag_id",
        ),
        Change(
            'op.bulk_insert(\n    sa.table("tags", sa.column("id", sa.Integer), sa.column("word", sa.String)),\n'
            '    [{"id": 1, "word": "bug"}, {"id": 2, "word": "question"}],\n)\n'
            "op.execute(\"INSERT INTO ticket_tags SELECT id, 1 FROM tickets WHERE subject LIKE '%crash%'\")",
            'op.execute("DELETE FROM ticket_tags")',
        ),
    ),
    after=("index what is looked up",),
)
_BILLING = line(
    (
        "invoices",
        table(
            "invoices",
            'sa.Column("account_id", sa.Integer(), nullable=False)',
            'sa.Column("number", sa.String(length=20), nullable=False)',
            'sa.Column("amount", sa.Numeric(precision=8, scale=2), nullable=False)',
            _ACCOUNT.format("invoices"),
            'sa.UniqueConstraint("account_id", "number", name=op.f("invoices_account_id_key"))',
        ),
        data("""
bind.execute(sa.text("INSERT INTO invoices (account_id, number, amount) SELECT id, 'A-1', 19.5 FROM accounts"))
"""),
    ),
    (
        "invoices have a currency",
        column("invoices", "currency", "sa.String(length=3), server_default=sa.text(\"'EUR'\"), nullable=False"),
    ),
    (
        "larger amounts",
        altered(
            "invoices",
            "amount",
            "type_=sa.Numeric(precision=8, scale=2), existing_type=sa.Numeric(precision=12, scale=2)",
            "type_=sa.Numeric(precision=12, scale=2), existing_type=sa.Numeric(precision=8, scale=2)",
        ),
    ),
    (
        "numbers are unique everywhere",
        batch(
            "invoices",
            'drop_constraint(batch_op.f("invoices_account_id_key"), type_="unique")\n'
            'create_unique_constraint(batch_op.f("invoices_number_key"), ["number", "currency", "account_id"])',
            'drop_constraint(batch_op.f("invoices_number_key"), type_="unique")\n'
            'create_unique_constraint(batch_op.f("invoices_account_id_key"), ["account_id", "number"])',
        ),
    ),
    (
        "find invoices by their amount",
        outside(index("invoices", "amount", "currency", options=", postgresql_concurrently=True")),
    ),
    after=("tags",),
)
_POLICIES = line(
    (
        "policies",
        table(
            "policies",
            'sa.Column("hours", sa.Integer(), nullable=False)',
            'sa.CheckConstraint("hours > 0", name="positive")',
        ),
        data('bind.execute(sa.text("INSERT INTO policies (id, hours) VALUES (1, 24), (2, 72)"))'),
    ),
    (
        "tickets have a policy",
        batch(
            "tickets",
            'add_column(sa.Column("policy_id", sa.Integer(), nullable=True))\n'
            'create_foreign_key(batch_op.f("tickets_policy_id_fkey"), "policies", ["policy_id"], ["id"])',
            'drop_constraint(batch_op.f("tickets_policy_id_fkey"), type_="foreignkey")\ndrop_column("policy_id")',
        ),
        data('bind.execute(sa.text("UPDATE tickets SET policy_id = CASE WHEN priority < 3 THEN 1 ELSE 2 END"))'),
    ),
    ("tickets are due", column("tickets", "due_at", "sa.DateTime(), nullable=True")),
    (
        "when tickets are due",
        data("""
from datetime import timedelta

tickets = sa.table("tickets", *map(sa.column, ("id", "policy_id")), sa.column("created_at", sa.DateTime), sa.column("due_at", sa.DateTime))
policies = sa.table("policies", sa.column("id"), sa.column("hours"))
asked = sa.select(tickets.c.id, tickets.c.created_at, policies.c.hours).join(policies, policies.c.id == tickets.c.policy_id)
for row in bind.execute(asked).all():
    bind.execute(tickets.update().where(tickets.c.id == row.id).values(due_at=row.created_at + timedelta(hours=row.hours)))
"""),
        altered(
            "tickets",
            "policy_id",
            "existing_type=sa.Integer(), nullable=True",
            "existing_type=sa.Integer(), nullable=False",
        ),
    ),
    (
        "tickets can wait",
        batch(
            "tickets",
            'drop_constraint(batch_op.f("tickets_status_check"), type_="check")\n'
            "create_check_constraint(batch_op.f(\"tickets_status_check\"), \"status IN ('open', 'waiting', 'done')\")",
            'drop_constraint(batch_op.f("tickets_status_check"), type_="check")\n'
            "create_check_constraint(batch_op.f(\"tickets_status_check\"), \"status IN ('open', 'done')\")",
        ),
        data(
            """bind.execute(sa.text("UPDATE tickets SET status = 'waiting' WHERE agent_id IS NULL"))""",
            """bind.execute(sa.text("UPDATE tickets SET status = 'open' WHERE status = 'waiting'"))""",
        ),
    ),
    (
        "open tickets by when they are due",
        index(
            "tickets",
            "due_at",
            options=", postgresql_where=sa.text(\"status <> 'done'\"), sqlite_where=sa.text(\"status <> 'done'\")",
        ),
    ),
    after=("tags",),
)
_REPLIES = line(
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
            recreate='"always"',
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
                f'type_={_AUTHOR}, existing_type={_LARGER}, existing_server_default="agent"',
                f'type_={_LARGER}, existing_type={_AUTHOR}, existing_server_default="agent"',
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
_AGENTS = line(
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
_SETTINGS = line(
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


def _created_by(name: str) -> tuple[str, Change]:
    return f"who made {name}", batch(
        name,
        'add_column(sa.Column("created_by", sa.Integer(), nullable=True))\n'
        f'create_foreign_key(batch_op.f("{name}_created_by_fkey"), "agents", ["created_by"], ["id"])',
        f'drop_constraint(batch_op.f("{name}_created_by_fkey"), type_="foreignkey")\ndrop_column("created_by")',
    )


LATER = line(
    *map(_created_by, ("tickets", "invoices", "attachments", "policies", "tags")),
    ("tickets have a number", column("tickets", "number", "sa.BigInteger(), nullable=True")),
    ("numbers of tickets", data('bind.execute(sa.text("UPDATE tickets SET number = 1000 + id"))')),
    (
        "numbers are required",
        batch(
            "tickets",
            'alter_column("number", existing_type=sa.BigInteger(), nullable=False)\n'
            'create_unique_constraint(batch_op.f("tickets_number_key"), ["number"])',
            'drop_constraint(batch_op.f("tickets_number_key"), type_="unique")\n'
            'alter_column("number", existing_type=sa.BigInteger(), nullable=True)',
        ),
    ),
    (
        "numbers are text",
        altered(
            "tickets",
            "number",
            'type_=sa.BigInteger(), existing_type=sa.String(length=20), existing_nullable=False, postgresql_using="number::bigint"',
            "type_=sa.String(length=20), existing_type=sa.BigInteger(), existing_nullable=False",
        ),
    ),
    (
        "tagged when",
        batch(
            "ticket_tags",
            f'add_column(sa.Column("tagged_at", sa.DateTime(), nullable=True))\n'
            'drop_constraint(batch_op.f("ticket_tags_pkey"), type_="primary")\n'
            'create_primary_key(batch_op.f("ticket_tags_pkey"), ["tag_id", "ticket_id"])',
            'drop_constraint(batch_op.f("ticket_tags_pkey"), type_="primary")\n'
            'create_primary_key(batch_op.f("ticket_tags_pkey"), ["ticket_id", "tag_id"])\ndrop_column("tagged_at")',
        ),
    ),
    (
        "sessions for a while",
        table("sessions", 'sa.Column("token", sa.String(length=64), nullable=False)', 'sa.UniqueConstraint("token")'),
        index("sessions", "token"),
    ),
    (
        "sessions are elsewhere",
        Change(
            'op.drop_index(op.f("sessions_token_idx"), table_name="sessions")\nop.drop_table("sessions")',
            'op.create_table(\n    "sessions",\n    sa.Column("id", sa.Integer(), nullable=False),\n'
            '    sa.Column("token", sa.String(length=64), nullable=False),\n'
            '    sa.PrimaryKeyConstraint("id", name=op.f("sessions_pkey")),\n    sa.UniqueConstraint("token"),\n)\n'
            'op.create_index(op.f("sessions_token_idx"), "sessions", ["token"])',
        ),
    ),
    (
        "a subject may be longer and is looked up",
        altered(
            "tickets",
            "subject",
            "type_=sa.String(length=200), existing_type=sa.Text(), existing_nullable=False",
            "type_=sa.Text(), existing_type=sa.String(length=200), existing_nullable=False",
        ),
        batch(
            "tickets",
            'create_index("tickets_subject_idx", ["account_id", "subject"], unique=False)',
            'drop_index("tickets_subject_idx")',
        ),
        altered(
            "tickets",
            "priority",
            'existing_type=sa.Integer(), server_default="3"',
            'existing_type=sa.Integer(), server_default="2"',
        ),
    ),
    ("accounts are named again", renamed("accounts", "title", "display_name", "existing_type=sa.String(length=80)")),
    (
        "names of accounts are unique",
        outside(
            Change(
                'op.create_index("accounts_display_name_idx", "accounts", ["display_name"], unique=True, postgresql_concurrently=True)',
                'op.drop_index("accounts_display_name_idx", table_name="accounts", postgresql_concurrently=True)',
            )
        ),
    ),
    ("invoices are paid", column("invoices", "paid", "sa.Boolean(), server_default=sa.false(), nullable=False")),
    ("invoices that were paid", data("""bind.execute(sa.text("UPDATE invoices SET paid = (number = 'A-1')"))""")),
    (
        "replies need no default author",
        altered(
            "replies",
            "author",
            f'existing_type={_LARGER}, server_default="agent"',
            f"existing_type={_LARGER}, server_default=None",
        ),
    ),
    (
        "words are short",
        batch(
            "tags", 'create_check_constraint("short", "length(word) < 25")', 'drop_constraint("short", type_="check")'
        ),
    ),
    after=("merge replies, agents and settings",),
)
_SEARCH = line(
    (
        "search documents",
        table(
            "documents",
            'sa.Column("reply_id", sa.Integer(), sa.ForeignKey("replies.id", ondelete="CASCADE"), nullable=False)',
            'sa.Column("words", sa.Text(), nullable=False)',
        ),
    ),
    (
        "search old replies",
        data('bind.execute(sa.text("INSERT INTO documents (reply_id, words) SELECT id, lower(body) FROM replies"))'),
    ),
    (
        "documents have a language",
        column("documents", "language", 'sa.String(length=2), server_default="en", nullable=False'),
    ),
    (
        "languages are required of each document",
        altered(
            "documents",
            "language",
            'existing_type=sa.String(length=2), server_default="en"',
            "existing_type=sa.String(length=2), server_default=None",
        ),
    ),
)
HISTORY: tuple[Revision, ...] = (
    *_FOUNDATION,
    *_EARLY,
    *_BILLING,
    *_POLICIES,
    *merge("merge billing and policies", "find invoices by their amount", "open tickets by when they are due"),
    *_REPLIES,
    *_AGENTS,
    *_SETTINGS,
    *merge("merge replies, agents and settings", "attachments", "agents are in a state", "settings have no default"),
    *LATER,
    replace(_SEARCH[0], label="search", depends_on="what a robot wrote"),
    *_SEARCH[1:],
)
