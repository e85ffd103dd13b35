"""Operations on keys and indexes."""

from dataclasses import dataclass

from tests.fuzz.model import Database, Table
from tests.fuzz.operations import InTable, Operation, batch


@dataclass(frozen=True)
class AddUnique(InTable):
    name: str
    columns: tuple[str, ...]

    def source(self) -> str:
        return batch(self.table, f"batch.create_unique_constraint({self.name!r}, {list(self.columns)!r})")

    def fits(self, table: Table, database: Database) -> bool:
        known = self.name not in table.uniques and set(self.columns) <= {"id", *table.columns}
        if not known:
            return False
        found = [tuple(row[column] for column in self.columns) for row in table.rows]
        found = [values for values in found if None not in values]
        return len(set(found)) == len(found)

    def change(self, table: Table) -> None:
        table.uniques[self.name] = self.columns

    def inverse(self, database: Database) -> Operation:
        return DropUnique(self.table, self.name)


@dataclass(frozen=True)
class DropUnique(InTable):
    name: str

    def source(self) -> str:
        return batch(self.table, f"batch.drop_constraint({self.name!r}, type_='unique')")

    def fits(self, table: Table, database: Database) -> bool:
        return self.name in table.uniques

    def change(self, table: Table) -> None:
        del table.uniques[self.name]

    def inverse(self, database: Database) -> Operation:
        return AddUnique(self.table, self.name, database.tables[self.table].uniques[self.name])


@dataclass(frozen=True)
class AddIndex(InTable):
    name: str
    columns: tuple[str, ...]
    way: str = "op"
    """Plain, in a batch, or in an autocommit_block()."""

    def source(self) -> str:
        plain = f"op.create_index({self.name!r}, {self.table!r}, {list(self.columns)!r})"
        match self.way:
            case "batch":
                return batch(self.table, f"batch.create_index({self.name!r}, {list(self.columns)!r})")
            case "block":
                concurrently = plain.replace("])", "], postgresql_concurrently=True)")
                return f"with op.get_context().autocommit_block():\n    {concurrently}"
        return plain

    def fits(self, table: Table, database: Database) -> bool:
        return self.name not in table.indexes and set(self.columns) <= set(table.columns)

    def change(self, table: Table) -> None:
        table.indexes[self.name] = self.columns

    def inverse(self, database: Database) -> Operation:
        return DropIndex(self.table, self.name)


@dataclass(frozen=True)
class DropIndex(InTable):
    name: str

    def source(self) -> str:
        return f"op.drop_index({self.name!r}, table_name={self.table!r})"

    def fits(self, table: Table, database: Database) -> bool:
        return self.name in table.indexes

    def change(self, table: Table) -> None:
        del table.indexes[self.name]

    def inverse(self, database: Database) -> Operation:
        return AddIndex(self.table, self.name, database.tables[self.table].indexes[self.name])


@dataclass(frozen=True)
class AddParent(InTable):
    name: str
    column: str
    parent: str

    def source(self) -> str:
        line = f"batch.create_foreign_key({self.name!r}, {self.parent!r}, [{self.column!r}], ['id'])"
        return batch(self.table, line)

    def fits(self, table: Table, database: Database) -> bool:
        if self.name in table.parents or self.parent not in database.tables or self.column not in table.columns:
            return False
        ids = {row["id"] for row in database.tables[self.parent].rows}
        there = all(value is None or value in ids for value in table.values(self.column))
        # SQLAlchemy cannot tell two equal keys apart on SQLite.
        another = (self.column, self.parent) not in table.parents.values()
        return table.columns[self.column].kind == "int" and there and another

    def change(self, table: Table) -> None:
        table.parents[self.name] = (self.column, self.parent)

    def inverse(self, database: Database) -> Operation:
        return DropParent(self.table, self.name)


@dataclass(frozen=True)
class DropParent(InTable):
    name: str

    def source(self) -> str:
        return batch(self.table, f"batch.drop_constraint({self.name!r}, type_='foreignkey')")

    def fits(self, table: Table, database: Database) -> bool:
        return self.name in table.parents

    def change(self, table: Table) -> None:
        del table.parents[self.name]

    def inverse(self, database: Database) -> Operation:
        column, parent = database.tables[self.table].parents[self.name]
        return AddParent(self.table, self.name, column, parent)
