"""A project of somebody else's: two branches in several folders, a merge, dependencies, hash ids, and an env.py with habits of its own.

core:     4f1a ─┬─ a81c ─┬─ e5d2 (merge) ── 0b7f
                └─ c09e ─┘     ╎
billing:  9d3e (needs 4f1a) ── 72ac (needs e5d2)
"""

from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

FIRST, EMAIL, NOTES = "4f1a02c7d9e0", "a81c55b0e3d2", "c09e7713fa44"
MERGE, CORE = "e5d2b86a1f3c", "0b7f4c9da6e8"
INVOICES, BILLING = "9d3e60f81b27", "72ac1e5f90bd"
HEADS = (CORE, BILLING)
ALL = (FIRST, EMAIL, NOTES, MERGE, CORE, INVOICES, BILLING)

_INI = """\
[alembic]
script_location = %(here)s/migrations
version_locations = %(here)s/migrations/core:%(here)s/migrations/billing
recursive_version_locations = true
path_separator = :
prepend_sys_path = .
sqlalchemy.url = {url}

[loggers]
keys = root,alembic

[handlers]
keys = console

[formatters]
keys = generic

[logger_root]
level = WARNING
handlers = console

[logger_alembic]
level = INFO
handlers =
qualname = alembic

[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = generic

[formatter_generic]
format = %(levelname)-5.5s [%(name)s] %(message)s
"""

_ENV = """\
from logging.config import fileConfig

import sqlalchemy as sa
from alembic import context
from sqlalchemy import engine_from_config, event, pool

config = context.config
if config.config_file_name is not None:
    fileConfig(config.config_file_name)

convention = {{"ix": "idx_%(table_name)s_%(column_0_name)s", "fk": "%(table_name)s_%(column_0_name)s_fkey",
              "ck": "%(table_name)s_%(constraint_name)s_check", "pk": "%(table_name)s_pkey", "uq": "%(table_name)s_%(column_0_name)s_key"}}
target_metadata = sa.MetaData(naming_convention=convention)
sa.Table(
    "accounts",
    target_metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(50), unique=True, nullable=False),
    sa.Column("email", sa.String(100), index=True),
)
sa.Table(
    "notes",
    target_metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("text", sa.Text, server_default="-", nullable=False),
)
sa.Table(
    "invoices",
    target_metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("account_id", sa.ForeignKey("accounts.id")),
    sa.Column("total", sa.Numeric(10, 2), sa.CheckConstraint("total >= 0", name="total"), nullable=False),
    sa.Column("note_id", sa.ForeignKey("notes.id")),
)


def include_object(object, name, type_, reflected, compare_to):
    return not (type_ == "table" and name.startswith("legacy_"))


def process_revision_directives(context, revision, directives):
    if directives and directives[0].upgrade_ops.is_empty():
        directives[:] = []


def run_migrations_online():
    connectable = engine_from_config(config.get_section(config.config_ini_section, {{}}), prefix="sqlalchemy.", poolclass=pool.NullPool)
    begun = []
    event.listen(connectable, "begin", lambda connection: begun.append(connection.connection.dbapi_connection))
    with connectable.connect() as connection:
        options = dict(
            target_metadata=target_metadata,
            include_object=include_object,
            process_revision_directives=process_revision_directives,
            compare_type=True,
            compare_server_default=True,
            render_as_batch=True,
        )
{run}
    assert begun


run_migrations_online()
"""
_STOCK = """\
        context.configure(connection=connection, **options)

        with context.begin_transaction():
            context.run_migrations()
"""
_OURS = """\
        import migrator

        migrator.run(connection, **options)
"""
_REVISION = '''\
"""{doc}

Revision ID: {id}
Revises: {parents}

"""
import sqlalchemy as sa
from alembic import op

revision = {id!r}
down_revision = {down!r}
branch_labels = {labels!r}
depends_on = {depends!r}


def upgrade():
{up}


def downgrade():
{down_body}
'''


def branched(directory: Path, url: str, *, stock: bool = False) -> str:
    """Write the project, on the database at `url`, and return the path of its alembic.ini; `stock` is as it was before the three lines."""
    migrations = directory / "migrations"
    migrations.mkdir(parents=True)
    ini = directory / "alembic.ini"
    ini.write_text(_INI.replace("{url}", url.replace("%", "%%")))
    (migrations / "env.py").write_text(_ENV.format(run=_STOCK if stock else _OURS))
    (migrations / "script.py.mako").write_text("${message}\n")
    _write(migrations / "core", FIRST, None, _FIRST, labels="core")
    _write(migrations / "core", EMAIL, FIRST, _EMAIL)
    _write(migrations / "core", NOTES, FIRST, _NOTES)
    _write(migrations / "core/2024", MERGE, (EMAIL, NOTES), _MERGE)
    _write(migrations / "core/2024", CORE, MERGE, _CORE)
    _write(migrations / "billing", INVOICES, None, _INVOICES, labels=("billing",), depends=FIRST)
    _write(migrations / "billing", BILLING, INVOICES, _BILLING, depends=[MERGE])
    return str(ini)


def _write(
    folder: Path,
    id_: str,
    down: str | tuple[str, ...] | None,
    bodies: tuple[str, str],
    *,
    labels: Sequence[str] | None = None,
    depends: Sequence[str] | None = None,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    up, back = ("".join(f"    {line}\n" for line in dedent(body).strip().splitlines()).rstrip() for body in bodies)
    text = _REVISION.format(
        doc=f"Step {id_[:4]}", id=id_, parents=down, down=down, labels=labels, depends=depends, up=up, down_body=back
    )
    (folder / f"{id_}_step.py").write_text(text)


_FIRST = (
    """
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(50), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("accounts_pkey")),
        sa.UniqueConstraint("name", name=op.f("accounts_name_key")),
    )
    op.execute("INSERT INTO accounts (id, name) VALUES (1, 'ada'), (2, 'bob')")
    """,
    "op.drop_table('accounts')",
)
_EMAIL = (
    """
    op.add_column("accounts", sa.Column("email", sa.String(100)))
    op.execute("UPDATE accounts SET email = name || '@example.org'")
    with op.batch_alter_table("accounts") as batch_op:
        batch_op.create_index(batch_op.f("idx_accounts_email"), ["email"], unique=False)
    """,
    """
    with op.batch_alter_table("accounts") as batch_op:
        batch_op.drop_index(batch_op.f("idx_accounts_email"))
        batch_op.drop_column("email")
    """,
)
_NOTES = (
    """
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), server_default="-", nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("notes_account_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("notes_pkey")),
    )
    op.bulk_insert(
        sa.table("notes", sa.column("id", sa.Integer), sa.column("account_id", sa.Integer)),
        [{"id": 1, "account_id": 1}, {"id": 2, "account_id": 2}],
    )
    """,
    "op.drop_table('notes')",
)
_MERGE = (
    """
    with op.batch_alter_table("accounts") as batch_op:
        batch_op.alter_column("name", existing_type=sa.String(50), nullable=False)
    """,
    """
    with op.batch_alter_table("accounts") as batch_op:
        batch_op.alter_column("name", existing_type=sa.String(50), nullable=True)
    """,
)
_CORE = (
    """
    op.execute("CREATE TABLE legacy_import (id INTEGER PRIMARY KEY, line TEXT)")
    with op.get_context().autocommit_block():
        op.create_index("idx_notes_account_id", "notes", ["account_id"], postgresql_concurrently=True)
    """,
    """
    op.drop_index("idx_notes_account_id", table_name="notes")
    op.drop_table("legacy_import")
    """,
)
_INVOICES = (
    """
    op.create_table(
        "invoices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("total", sa.Numeric(10, 2), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("invoices_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("invoices_pkey")),
    )
    op.execute("INSERT INTO invoices (id, account_id, total) VALUES (1, 1, 10.5), (2, 2, 20.25)")
    """,
    "op.drop_table('invoices')",
)
_BILLING = (
    """
    with op.batch_alter_table("invoices") as batch_op:
        batch_op.add_column(sa.Column("note_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(batch_op.f("invoices_note_id_fkey"), "notes", ["note_id"], ["id"])
        batch_op.create_check_constraint(batch_op.f("invoices_total_check"), "total >= 0")
    op.execute("UPDATE invoices SET note_id = id")
    """,
    """
    with op.batch_alter_table("invoices") as batch_op:
        batch_op.drop_constraint(batch_op.f("invoices_total_check"), type_="check")
        batch_op.drop_constraint(batch_op.f("invoices_note_id_fkey"), type_="foreignkey")
        batch_op.drop_column("note_id")
    """,
)
