"""The operations of which random revisions are made: each says how a revision writes it, and what it means."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from tests.fuzz.model import KINDS, Column, Database, Table, Value


class Operation(ABC):
    """One operation of a revision."""

    @abstractmethod
    def source(self) -> str:
        """The lines of `upgrade()` or `downgrade()`."""

    @abstractmethod
    def is_legal(self, database: Database) -> bool:
        """Whether both databases do this, on what is there."""

    @abstractmethod
    def apply(self, database: Database) -> None:
        """Do it to the model."""

    def inverse(self, database: Database) -> "Operation | None":
        """What the downgrade does; `database` is as it was before. None where rows would have to come back."""
        return None


def _written(column: Column) -> str:
    default = "" if column.default is None else f", server_default={column.default!r}"
    return f"sa.Column({column.name!r}, {KINDS[column.kind].source}, nullable={column.nullable}{default})"


def batch(table: str, line: str, *, recreate: str = "auto") -> str:
    """One line in a batch on this table."""
    return f"with op.batch_alter_table({table!r}, recreate={recreate!r}) as batch:\n    {line}"


@dataclass(frozen=True)
class CreateTable(Operation):
    name: str
    columns: tuple[Column, ...]

    def source(self) -> str:
        parts = ["sa.Column('id', sa.Integer(), primary_key=True)", *map(_written, self.columns)]
        return f"op.create_table({self.name!r}, {', '.join(parts)})"

    def is_legal(self, database: Database) -> bool:
        return self.name not in database.tables

    def apply(self, database: Database) -> None:
        database.tables[self.name] = Table({column.name: column for column in self.columns})

    def inverse(self, database: Database) -> Operation:
        return DropTable(self.name)


@dataclass(frozen=True)
class DropTable(Operation):
    name: str

    def source(self) -> str:
        return f"op.drop_table({self.name!r})"

    def is_legal(self, database: Database) -> bool:
        return self.name in database.tables and set(database.children(self.name)) <= {self.name}

    def apply(self, database: Database) -> None:
        del database.tables[self.name]


@dataclass(frozen=True)
class RenameTable(Operation):
    old: str
    new: str

    def source(self) -> str:
        return f"op.rename_table({self.old!r}, {self.new!r})"

    def is_legal(self, database: Database) -> bool:
        return self.old in database.tables and self.new not in database.tables

    def apply(self, database: Database) -> None:
        database.tables[self.new] = database.tables.pop(self.old)
        for table in database.tables.values():
            table.parents = {
                name: (own, self.new if parent == self.old else parent) for name, (own, parent) in table.parents.items()
            }

    def inverse(self, database: Database) -> Operation:
        return RenameTable(self.new, self.old)


@dataclass(frozen=True)
class InTable(Operation):
    """An operation on one table that is there."""

    table: str

    def is_legal(self, database: Database) -> bool:
        return self.table in database.tables and self.fits(database.tables[self.table], database)

    def apply(self, database: Database) -> None:
        self.change(database.tables[self.table])

    @abstractmethod
    def fits(self, table: Table, database: Database) -> bool:
        """Whether the table as it is allows it."""

    @abstractmethod
    def change(self, table: Table) -> None:
        """Do it to the model of the table."""


@dataclass(frozen=True)
class AddColumn(InTable):
    column: Column
    plain: bool = False

    def source(self) -> str:
        if self.plain:
            return f"op.add_column({self.table!r}, {_written(self.column)})"
        return batch(self.table, f"batch.add_column({_written(self.column)})")

    def fits(self, table: Table, database: Database) -> bool:
        filled = self.column.nullable or self.column.default is not None or not table.rows
        # SQLite adds a NOT NULL column without a default to an empty table by a rebuild only, which takes a batch.
        return self.column.name not in table.columns and filled and (self.column.nullable or not self.plain)

    def change(self, table: Table) -> None:
        table.columns[self.column.name] = self.column
        for row in table.rows:
            row[self.column.name] = self.column.filling

    def inverse(self, database: Database) -> Operation:
        return DropColumn(self.table, self.column.name)


@dataclass(frozen=True)
class DropColumn(InTable):
    name: str

    def source(self) -> str:
        return batch(self.table, f"batch.drop_column({self.name!r})")

    def fits(self, table: Table, database: Database) -> bool:
        return self.name in table.columns and not table.users(self.name)

    def change(self, table: Table) -> None:
        del table.columns[self.name]
        for row in table.rows:
            del row[self.name]

    def inverse(self, database: Database) -> Operation:
        before = database.tables[self.table].columns[self.name]
        return AddColumn(self.table, Column(before.name, before.kind, default=before.default))


@dataclass(frozen=True)
class ChangeColumn(InTable):
    before: Column
    after: Column
    recreate: str = "auto"

    def source(self) -> str:
        old, new = self.before, self.after
        changes = [f"existing_type={KINDS[old.kind].source}", f"existing_nullable={old.nullable}"]
        if new.name != old.name:
            changes.append(f"new_column_name={new.name!r}")
        if new.kind != old.kind:
            changes.append(f"type_={KINDS[new.kind].source}")
        if new.nullable != old.nullable:
            changes.append(f"nullable={new.nullable}")
        if new.default != old.default:
            changes.append(f"server_default={new.default!r}")
        else:
            changes.append(f"existing_server_default={old.default!r}")
        return batch(self.table, f"batch.alter_column({old.name!r}, {', '.join(changes)})", recreate=self.recreate)

    def fits(self, table: Table, database: Database) -> bool:
        old, new = self.before, self.after
        free = new.name == old.name or new.name not in table.columns
        wider = new.kind == old.kind or new.kind in KINDS[old.kind].wider or not table.rows
        holds = new.nullable or all(value is not None for value in table.values(old.name))
        tied = {name for name, (own, _) in table.parents.items() if own == old.name}
        return table.columns.get(old.name) == old and free and wider and holds and not (tied and new.kind != old.kind)

    def is_legal(self, database: Database) -> bool:
        known = self.table in database.tables and self.before.name in database.tables[self.table].columns
        return known and super().is_legal(database)

    def change(self, table: Table) -> None:
        table.rename_column(self.before.name, self.after.name)
        table.columns[self.after.name] = self.after

    def inverse(self, database: Database) -> Operation:
        return ChangeColumn(self.table, self.after, self.before, self.recreate)


@dataclass(frozen=True)
class Insert(InTable):
    row: tuple[tuple[str, Value], ...]

    def source(self) -> str:
        names = ", ".join(name for name, _ in self.row)
        binds = ", ".join(f":{name}" for name, _ in self.row)
        values = ", ".join(f"{name}={value!r}" for name, value in self.row)
        return f"op.get_bind().execute(sa.text('INSERT INTO {self.table} ({names}) VALUES ({binds})'), dict({values}))"

    def fits(self, table: Table, database: Database) -> bool:
        row = dict(self.row)
        if set(row) != {"id", *table.columns} or row["id"] in table.values("id"):
            return False
        if any(row[column.name] is None and not column.nullable for column in table.columns.values()):
            return False
        for columns in table.uniques.values():
            values = [row[column] for column in columns]
            if None not in values and values in [[other[column] for column in columns] for other in table.rows]:
                return False
        return all(
            row[own] is None or row[own] in database.tables[parent].values("id")
            for own, parent in table.parents.values()
        )

    def change(self, table: Table) -> None:
        table.rows.append(dict(self.row))


@dataclass(frozen=True)
class Delete(InTable):
    id: int

    def source(self) -> str:
        return f"op.execute('DELETE FROM {self.table} WHERE id = {self.id}')"

    def fits(self, table: Table, database: Database) -> bool:
        named = [
            value
            for other in database.tables.values()
            for own, parent in other.parents.values()
            if parent == self.table
            for value in other.values(own)
        ]
        return self.id in table.values("id") and self.id not in named

    def change(self, table: Table) -> None:
        table.rows = [row for row in table.rows if row["id"] != self.id]
