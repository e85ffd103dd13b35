"""The first tables, and what two branches made of them."""

from tests.foreign.helpdesk.changes import Change, altered, batch, column, data, index, outside, renamed, table
from tests.foreign.helpdesk.revisions import line

_ACCOUNT = (
    'sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("{}_account_id_fkey"), ondelete="CASCADE")'
)
_NOW = 'sa.DateTime(), server_default=sa.text("CURRENT_TIMESTAMP"), nullable=False'


FOUNDATION = line(
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
EARLY = line(
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
BILLING = line(
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
POLICIES = line(
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
