"""What revisions do, as text in the way that `alembic revision --autogenerate` and its users write it: the way up and the way down."""

from dataclasses import dataclass
from textwrap import indent


@dataclass(frozen=True)
class Change:
    """The statements of `upgrade()` and those of `downgrade()`."""

    up: str
    down: str


def table(name: str, *parts: str, key: str = "id", enums: tuple[str, ...] = ()) -> Change:
    """Create a table with an id; its downgrade also drops the types that PostgreSQL made for its enums."""
    if key == "id":
        parts = ('sa.Column("id", sa.Integer(), nullable=False)', *parts)
    columns = ", ".join(f'"{column}"' for column in key.split(", "))
    listed = ",\n    ".join((*parts, f'sa.PrimaryKeyConstraint({columns}, name=op.f("{name}_pkey"))'))
    dropped = "".join(f'\nsa.Enum(name="{enum}").drop(op.get_bind(), checkfirst=True)' for enum in enums)
    return Change(f'op.create_table(\n    "{name}",\n    {listed},\n)', f'op.drop_table("{name}"){dropped}')


def batch(table: str, up: str, down: str, **options: str) -> Change:
    """Statements on one table in batch mode; a line each, written as methods of `batch_op`."""
    said = "".join(f", {name}={value}" for name, value in options.items())

    def block(lines: str) -> str:
        body = "\n".join(f"batch_op.{line.strip()}" for line in lines.strip().splitlines())
        return f'with op.batch_alter_table("{table}", schema=None{said}) as batch_op:\n{indent(body, "    ")}'

    return Change(block(up), block(down))


def column(table: str, name: str, rest: str) -> Change:
    """Add a column in batch mode."""
    return batch(table, f'add_column(sa.Column("{name}", {rest}))', f'drop_column("{name}")')


def altered(table: str, name: str, before: str, after: str, **options: str) -> Change:
    """Alter a column in batch mode; `before` and `after` are arguments of `alter_column`."""
    return batch(table, f'alter_column("{name}", {after})', f'alter_column("{name}", {before})', **options)


def renamed(table: str, before: str, after: str, existing: str) -> Change:
    """Rename a column in batch mode."""
    return batch(
        table,
        f'alter_column("{before}", new_column_name="{after}", {existing})',
        f'alter_column("{after}", new_column_name="{before}", {existing})',
    )


def index(table: str, *columns: str, options: str = "") -> Change:
    """Create an index without batch mode, named by the project's convention."""
    name = f'op.f("{table}_{columns[0]}_idx")'
    listed = ", ".join(f'"{column}"' for column in columns)
    return Change(
        f'op.create_index({name}, "{table}", [{listed}]{options})', f'op.drop_index({name}, table_name="{table}")'
    )


def data(up: str, down: str = "pass") -> Change:
    """Change rows; `bind` is the connection."""
    begin = "bind = op.get_bind()\n"
    return Change(begin + up.strip(), down if down == "pass" else begin + down.strip())


def outside(change: Change) -> Change:
    """The same in an `autocommit_block()`."""
    block = "with op.get_context().autocommit_block():\n"
    return Change(block + indent(change.up, "    "), block + indent(change.down, "    "))


def only(dialect: str, change: Change, otherwise: Change | None = None) -> Change:
    """The same on one database, and something else or nothing on the other."""

    def branch(one: str, other: str | None) -> str:
        text = f'if op.get_bind().dialect.name == "{dialect}":\n{indent(one, "    ")}'
        return text if other is None else f"{text}\nelse:\n{indent(other, '    ')}"

    return Change(
        branch(change.up, otherwise and otherwise.up),
        branch(change.down, otherwise and otherwise.down),
    )
