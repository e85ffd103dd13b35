"""The operations of Alembic that take a database to a revision and lose nothing of it."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import api
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.schema import conv

from migrator.adopt.rendering import plain_context
from migrator.dialects.expression import plain
from migrator.results.adoption import Difference, Match
from migrator.schema.autogenerate import options_for
from migrator.schema.replay import Replay
from migrator.schema.snapshot import reflecting

_NAMES = {"fk": "unnamed_fk_%(column_0_N_name)s", "uq": "unnamed_uq_%(column_0_N_name)s"}
"""What SQLite's batch mode calls a constraint without a name, so that it can be dropped."""
_BATCH = "with op.batch_alter_table("


class NameChecks(ops.MigrateOperation):
    """Gives the CHECK constraints of a SQLite table names; what they say stays, word for word, also of those that get none."""

    def __init__(self, table_name: str, names: dict[str, str | None]) -> None:
        """Hold the name of each condition."""
        self.table_name, self.names = table_name, names

    def written(self) -> str:
        """Return it in Python: reflection does not see such a constraint, so that a batch is told it whole."""
        rules = ", ".join(
            f"sa.CheckConstraint({text.replace(':', chr(92) + ':')!r}{f', name=op.f({name!r})' if name else ''})"
            for text, name in self.names.items()
        )
        batch = f"{_BATCH}{self.table_name!r}, schema=None, recreate='always', table_args=({rules},))"
        return f"    {batch}:\n        pass  # the arguments say it all"


class NameKey(ops.MigrateOperation):
    """Gives the primary key of a SQLite table a name. Alembic cannot write that operation."""

    def __init__(self, table_name: str, name: str, columns: list[str]) -> None:
        """Hold them."""
        self.table_name, self.constraint_name, self.columns = table_name, name, columns

    def written(self) -> str:
        """Return it in Python."""
        batch = f"{_BATCH}{self.table_name!r}, schema=None) as batch_op"
        return (
            f"    {batch}:\n        batch_op.create_primary_key(batch_op.f({self.constraint_name!r}), {self.columns!r})"
        )


class Operations:
    """The operations from the connected database to a revision. It is read only.

    No table, no column and nothing that is extra is ever dropped: an index or a constraint is, where the revision has another one.
    """

    def __init__(self, connection: Connection, replay: Replay, match: Match) -> None:
        """Compare the tables that differ; `match` says which, the others are known to be the same."""
        self._dialect = replay.dialect
        tables = {difference.table for difference in match.differences}
        ours = replay.known_tables.intersection(tables)
        self._named = {(it.table, name) for it in match.differences for name in (it.object, it.found) if name}
        self._unnamed: set[str] = set()
        metadata = replay.metadata_at(match.revision, tables)
        for rule in (rule for table in metadata.tables.values() for rule in table.constraints):
            rule.name = (
                conv(str(rule.name)) if rule.name else rule.name
            )  # no naming convention makes another name of it
        options = {
            **options_for(metadata),
            "include_name": lambda name, type_, _: type_ != "table" or name in ours,
            "include_object": lambda it, name, type_, *_: type_ != "table" or name in ours,
        }
        options.pop("process_revision_directives")
        self._rendering = plain_context(connection, options)
        with reflecting():
            script = api.produce_migrations(MigrationContext.configure(connection=connection, opts=options), metadata)
        assert script.upgrade_ops is not None
        self._upgrade = script.upgrade_ops
        _add_unseen(self._upgrade, connection, replay, metadata)
        _add_checks(self._upgrade, connection, replay, metadata)
        self._upgrade.ops = list(self._kept(self._upgrade.ops))
        for table in metadata.sorted_tables:
            if table.name in ours and sa.inspect(connection).has_table(table.name, table.schema):
                with reflecting():
                    self._drop_unnamed_uniques(connection, table, match)
                    self._name_checks(connection, table, match)
        self._rename(match, metadata)

    def __iter__(self) -> Iterator[ops.MigrateOperation]:
        """Yield them one by one, without the batches that they are in."""
        for each in self._upgrade.ops:
            yield from each.ops if isinstance(each, ops.ModifyTableOps) else [each]

    def __str__(self) -> str:
        """Return them in Python, indented by four; empty where there are none."""
        return "\n".join(self.parts)

    @property
    def parts(self) -> tuple[str, ...]:
        """The Python of each batch, and of each operation that is in none."""
        return tuple(self._written(each) for each in self._upgrade.ops)

    def _written(self, it: ops.MigrateOperation) -> str:
        if isinstance(it, NameChecks | NameKey):
            return it.written()
        alone = ops.UpgradeOps(ops=[it])
        text = api.render_python_code(alone, render_as_batch=True, migration_context=self._rendering)
        lines = [line for line in f"    {text.strip()}".splitlines() if not line.strip().startswith("# ###")]
        return "\n".join(self._with_names(line) for line in lines).strip("\n")

    def _drop_unnamed_uniques(self, connection: Connection, table: sa.Table, match: Match) -> None:
        """Drop a UNIQUE without a name where the revision has one with a name, or none; autogenerate passes it over."""
        others = {
            it.found for it in match.differences if (it.table, it.kind, it.object) == (table.name, "unique", None)
        }
        batches = [it for it in self._upgrade.ops if isinstance(it, ops.ModifyTableOps) and it.table_name == table.name]
        made = [it.columns for batch in batches for it in batch.ops if isinstance(it, ops.CreateUniqueConstraintOp)]
        for rule in sa.inspect(connection).get_unique_constraints(table.name, table.schema):
            columns = rule["column_names"]
            if rule["name"] is None and (columns in map(list, made) or f"({', '.join(columns)})" in others):
                name = conv(f"unnamed_uq_{'_'.join(columns)}")
                self._unnamed.add(table.name)
                batch = batches[0] if batches else ops.ModifyTableOps(table.name, [], schema=table.schema)
                batch.ops.insert(0, ops.DropConstraintOp(name, table.name, type_="unique", schema=table.schema))
                if not batches:
                    batches.append(batch)
                    self._upgrade.ops.append(batch)

    def _name_checks(self, connection: Connection, table: sa.Table, match: Match) -> None:
        """Name the CHECKs that say what a named one of the revision says, instead of adding them once more."""
        unnamed = {it.wanted for it in _renamed(match, "check") if it.table == table.name and it.found is None}
        if not unnamed:
            return
        rules = sa.inspect(connection).get_check_constraints(table.name, table.schema)
        names: dict[str, str | None] = {str(rule["sqltext"]): None for rule in rules if rule["name"] is None}
        columns = [column.name for column in table.columns]
        said = {plain(text, self._dialect, columns): text for text in names}
        for rule in table.constraints:
            if isinstance(rule, sa.CheckConstraint) and rule.name in unnamed:
                text = said.get(plain(str(rule.sqltext), self._dialect, columns))
                if text is not None:
                    names[text] = str(rule.name)
                    self._take(table.name, str(rule.name))
        if any(names.values()):
            self._upgrade.ops.append(NameChecks(table.name, names))

    def _rename(self, match: Match, metadata: sa.MetaData) -> None:
        """Rename the keys and CHECKs that only have another name; Alembic does not compare it, or only some versions do."""
        for it in [it for kind in ("primary key", "check", "foreign key") for it in _renamed(match, kind)]:
            assert it.wanted is not None
            statement = self._dialect.rename_constraint(it.table, it.found or "", it.wanted)
            table = metadata.tables.get(it.table)
            if statement is not None and it.found:
                self._take(it.table, it.found, it.wanted)
                self._upgrade.ops.append(ops.ExecuteSQLOp(statement))
            elif it.kind == "primary key name" and table is not None:
                self._upgrade.ops.append(NameKey(it.table, it.wanted, [column.name for column in table.primary_key]))
            elif table is not None and (it.found or it.kind == "foreign key name"):
                rule = next(rule for rule in table.constraints if rule.name == it.wanted)
                old = it.found or f"unnamed_fk_{'_'.join(column.name for column in _columns(rule))}"
                if it.found is None:
                    self._unnamed.add(it.table)
                self._take(it.table, old, it.wanted)
                drop = ops.DropConstraintOp(conv(old), it.table, type_=it.kind.removesuffix(" name").replace(" ", ""))
                self._upgrade.ops.append(
                    ops.ModifyTableOps(it.table, [drop, ops.AddConstraintOp.from_constraint(rule)])
                )

    def _take(self, table: str, *names: str) -> None:
        """Take out what autogenerate does to these constraints of a table."""
        for batch in [it for it in self._upgrade.ops if isinstance(it, ops.ModifyTableOps) and it.table_name == table]:
            batch.ops = [it for it in batch.ops if str(getattr(it, "constraint_name", None)) not in names]
            if not batch.ops:
                self._upgrade.ops.remove(batch)

    def _kept(self, found: list[ops.MigrateOperation]) -> Iterator[ops.MigrateOperation]:
        for each in found:
            if isinstance(each, ops.ModifyTableOps):
                each.ops = list(self._kept(each.ops))
                if each.ops:
                    yield each
            elif isinstance(each, ops.DropConstraintOp) and each.constraint_name is None:
                self._name(each)
                yield each
            elif isinstance(each, ops.DropConstraintOp):
                if (_table(each), str(each.constraint_name)) in self._named:
                    yield each
            elif isinstance(each, ops.DropIndexOp):
                if (_table(each), str(each.index_name)) in self._named:
                    yield each
            elif not isinstance(each, ops.DropTableOp | ops.DropColumnOp):
                if isinstance(each, ops.AlterColumnOp):
                    each.kw.pop("autoincrement", None)  # MySQL's; Alembic warns of it elsewhere
                yield each

    def _name(self, drop: ops.DropConstraintOp) -> None:
        """Give a constraint without a name the one by which a batch finds it."""
        gone = drop.to_constraint()
        short = "fk" if isinstance(gone, sa.ForeignKeyConstraint) else "uq"
        drop.constraint_name = conv(f"unnamed_{short}_{'_'.join(column.name for column in _columns(gone))}")
        self._unnamed.add(drop.table_name)

    def _with_names(self, line: str) -> str:
        if line.strip().startswith(_BATCH) and any(
            line.strip().startswith(f"{_BATCH}{name!r},") for name in self._unnamed
        ):
            return line.replace(") as batch_op:", f", naming_convention={_NAMES!r}) as batch_op:")
        return line


def _columns(rule: sa.Constraint) -> list[sa.Column[Any]]:
    assert isinstance(rule, sa.schema.ColumnCollectionConstraint)
    return list(rule.columns)


def _renamed(match: Match, kind: str) -> list[Difference]:
    return [it for it in match.differences if it.kind == f"{kind} name" and it.wanted is not None]


def _table(it: ops.DropConstraintOp | ops.DropIndexOp) -> str:
    return f"{it.schema}.{it.table_name}" if it.schema else str(it.table_name)


def _add_checks(upgrade: ops.UpgradeOps, connection: Connection, replay: Replay, wanted: sa.MetaData) -> None:
    """Autogenerate compares CHECK constraints by name; here what they say counts, and one that differs is created again."""
    dialect = replay.dialect
    inspector = sa.inspect(connection)
    for table in wanted.sorted_tables:
        if not inspector.has_table(table.name, table.schema):
            continue
        there = {rule["name"]: rule for rule in inspector.get_check_constraints(table.name, table.schema)}
        columns = [column.name for column in table.columns]
        changed: list[ops.MigrateOperation] = []
        for rule in sorted(
            (c for c in table.constraints if isinstance(c, sa.CheckConstraint)), key=lambda c: str(c.name)
        ):
            found = there.get(str(rule.name))
            both = () if found is None else (found["sqltext"], str(rule.sqltext))
            if found and (len({plain(text, dialect, columns) for text in both}) > 1 or _unproved(found)):
                changed += [
                    ops.DropConstraintOp(conv(str(rule.name)), table.name, type_="check", schema=table.schema),
                    ops.CreateCheckConstraintOp(
                        conv(str(rule.name)), table.name, str(rule.sqltext), schema=table.schema
                    ),
                ]
        if changed:
            upgrade.ops.append(ops.ModifyTableOps(table.name, changed, schema=table.schema))


def _unproved(found: Any) -> bool:
    return bool(found.get("dialect_options", {}).get("not_valid"))


def _add_unseen(upgrade: ops.UpgradeOps, connection: Connection, replay: Replay, wanted: sa.MetaData) -> None:
    """Indexes that SQLAlchemy does not reflect are not in the metadata either, so that autogenerate cannot miss them."""
    there = {index.name for found in replay.dialect.unseen_indexes(connection).values() for index in found}
    for table, indexes in wanted.info.get("unseen", {}).items():
        for index in indexes:
            if index.name not in there:
                kind = "UNIQUE INDEX" if index.definition.startswith("unique ") else "INDEX"
                rest = index.definition.removeprefix("unique ")
                upgrade.ops.append(ops.ExecuteSQLOp(f"CREATE {kind} {index.name} ON {table} {rest}"))
