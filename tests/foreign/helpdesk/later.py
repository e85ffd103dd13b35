"""What came after the last merge, one revision after the other, and the branch `search`."""

from tests.foreign.helpdesk.branches import LARGER
from tests.foreign.helpdesk.changes import Change, altered, batch, column, data, index, outside, renamed, table
from tests.foreign.helpdesk.revisions import line


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
            'add_column(sa.Column("tagged_at", sa.DateTime(), nullable=True))\n'
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
            f'existing_type={LARGER}, server_default="agent"',
            f"existing_type={LARGER}, server_default=None",
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
SEARCH = line(
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
