"""What separates two schemas, in words."""

import re
from collections.abc import Collection, Iterator

from migrator.results.adoption import Difference
from migrator.schema.snapshot import Column, Snapshot, Table

_SIZED = re.compile(r"VARCHAR\((\d+)\)", re.I)


def compare(found: Snapshot, wanted: Snapshot, *, known: Collection[str] = ()) -> tuple[Difference, ...]:
    """Return what separates the schema that was found from the one that is wanted.

    Extra tables do not count, except those in `known`: tables that the history makes at another revision.
    """
    differences = [
        Difference(name, f"the table {name} is there and should not be", weight=found[name].size)
        for name in found
        if name in known and name not in wanted
    ]
    for name, table in wanted.items():
        if name in found:
            differences += _columns(found[name], table)
            differences += _different_rules(found[name], table)
        else:
            differences.append(Difference(name, f"the table {name} is missing", weight=table.size))
    return tuple(differences)


def _columns(found: Table, wanted: Table) -> Iterator[Difference]:
    name = wanted.name
    have = {column.name: column for column in found.columns}
    for column in wanted.columns:
        if column.name not in have:
            yield Difference(name, f"the column {name}.{column.name} ({column.type}) is missing")
        else:
            yield from _column_differences(name, have.pop(column.name), column)
    for column in have.values():
        yield Difference(name, f"the column {name}.{column.name} ({column.type}) is there and should not be")
    common = [c.name for c in wanted.columns if any(c.name == f.name for f in found.columns)]
    if [c.name for c in found.columns if c.name in common] != common:
        yield Difference(name, f"the columns of {name} stand in another order", harmless=True)


def _column_differences(table: str, found: Column, wanted: Column) -> Iterator[Difference]:
    where = f"{table}.{wanted.name}"
    if found.type != wanted.type:
        sizes = [_SIZED.fullmatch(text) for text in (found.type, wanted.type)]
        longer = all(sizes) and int(sizes[0][1]) > int(sizes[1][1])  # type: ignore[index]
        yield Difference(table, f"{where} is {found.type} and should be {wanted.type}", harmless=longer)
    if found.nullable != wanted.nullable:
        words = ("NULL", "NOT NULL") if found.nullable else ("NOT NULL", "NULL")
        yield Difference(table, f"{where} is {words[0]} and should be {words[1]}")
    if found.default != wanted.default:
        text = f"the default of {where} is {found.default or 'none'} and should be {wanted.default or 'none'}"
        yield Difference(table, text, harmless=found.meaning == wanted.meaning)
    if found.extra != wanted.extra:
        yield Difference(table, f"{where} is generated as{found.extra or ' nothing'}, and should be as{wanted.extra}")


def _different_rules(found: Table, wanted: Table) -> Iterator[Difference]:
    extra = sorted(found.rules - wanted.rules, key=lambda rule: (rule.kind, rule.meaning, rule.name or ""))
    for rule in sorted(wanted.rules - found.rules, key=lambda rule: (rule.kind, rule.meaning, rule.name or "")):
        twin = next((e for e in extra if (e.kind, e.meaning) == (rule.kind, rule.meaning)), None)
        what = f"{rule.kind} {rule.name or 'without a name'} on {wanted.name}: {rule.meaning}"
        if twin is None:
            yield Difference(wanted.name, f"the {what} is missing")
        else:
            extra.remove(twin)
            text = f"the {what} is named {twin.name or 'nothing'}"
            yield Difference(wanted.name, text, harmless=rule.kind == "index")
    for rule in extra:
        what = f"{rule.kind} {rule.name or 'without a name'} on {wanted.name}: {rule.meaning}"
        yield Difference(wanted.name, f"the {what} is there and should not be")
