"""What separates two schemas, in words and as data."""

import re
from collections.abc import Collection, Iterator

from migrator.dialects.schema_object import Column, Rule, SchemaObject
from migrator.results.adoption import Difference
from migrator.schema.snapshot import Snapshot

_SIZED = re.compile(r"VARCHAR\((\d+)\)", re.I)
_ENUM = re.compile(r"ENUM (\S+?)(?:\[\])* \(")
_SHOWN = ("view", "sequence", "type")  # whose definition a reader understands
_SHORT = 80  # characters of it that fit into a sentence


def compare(found: Snapshot, wanted: Snapshot, *, known: Collection[str] = ()) -> tuple[Difference, ...]:
    """Return what separates the schema that was found from the one that is wanted.

    Extra tables, views, functions and so on do not count, except those in `known`: those that the history makes at another revision.
    """
    differences: list[Difference] = []
    for name, it in found.items():
        if name in known and name not in wanted:
            differences.append(_extra(it))
    told_by_columns = {name for it in wanted.values() for name in _enums(it)}
    for name, it in wanted.items():
        if name not in found:
            differences.append(_missing(it))
        elif found[name] != it and not (it.kind == "type" and it.name in told_by_columns):
            differences += _between(found[name], it)
    return tuple(differences)


def _extra(it: SchemaObject) -> Difference:
    text = f"the {it.kind} {it.name} is there and should not be"
    return Difference(it.name, text, weight=it.size, kind=it.kind, found=it.definition or it.name)


def _missing(it: SchemaObject) -> Difference:
    text = f"the {it.kind} {it.name} is missing"
    return Difference(it.name, text, weight=it.size, kind=it.kind, wanted=it.definition or it.name)


def _enums(it: SchemaObject) -> Iterator[str]:
    return (used[1] for column in it.columns if (used := _ENUM.match(column.type)))


def _between(found: SchemaObject, wanted: SchemaObject) -> Iterator[Difference]:
    name = wanted.name
    if found.kind != wanted.kind:
        text = f"{name} is a {found.kind} and should be a {wanted.kind}"
        yield Difference(name, text, weight=wanted.size, kind="kind", found=found.kind, wanted=wanted.kind)
        return
    if found.definition != wanted.definition:
        both = (found.definition, wanted.definition)
        short = wanted.kind in _SHOWN and all(0 < len(text) <= _SHORT for text in both)
        words = f"is {found.definition}, and should be {wanted.definition}" if short else "is defined in another way"
        text = f"the {wanted.kind} {name} {words}"
        yield Difference(name, text, kind=wanted.kind, found=found.definition, wanted=wanted.definition)
    for property_ in sorted(wanted.properties - found.properties):
        yield Difference(name, f"the {wanted.kind} {name} is not {property_}", kind="property", wanted=property_)
    for property_ in sorted(found.properties - wanted.properties):
        text = f"the {wanted.kind} {name} is {property_} and should not be"
        yield Difference(name, text, kind="property", found=property_)
    yield from _columns(found, wanted)
    yield from _different_rules(found, wanted)


def _columns(found: SchemaObject, wanted: SchemaObject) -> Iterator[Difference]:
    name = wanted.name
    have = {column.name: column for column in found.columns}
    for column in wanted.columns:
        if column.name not in have:
            text = f"the column {name}.{column.name} ({column.type}) is missing"
            yield Difference(name, text, kind="column", object=column.name, wanted=_said(column))
        else:
            yield from _column_differences(name, have.pop(column.name), column)
    for column in have.values():
        text = f"the column {name}.{column.name} ({column.type}) is there and should not be"
        yield Difference(name, text, kind="column", object=column.name, found=_said(column))
    there, should = [column.name for column in found.columns], [column.name for column in wanted.columns]
    common = [column for column in should if column in there]
    if [column for column in there if column in common] != common:
        text = f"the columns of {name} stand in another order"
        yield Difference(name, text, harmless=True, kind="order", found=", ".join(there), wanted=", ".join(should))


def _said(column: Column) -> str:
    default = None if column.default is None else f"DEFAULT {column.default}"
    return " ".join(filter(None, (column.type, column.extra, default, "" if column.nullable else "NOT NULL")))


def _column_differences(table: str, found: Column, wanted: Column) -> Iterator[Difference]:
    where = f"{table}.{wanted.name}"

    def differs(kind: str, there: str, should: str, text: str, *, harmless: bool = False) -> Difference:
        return Difference(
            table, text, harmless=harmless, kind=kind, object=wanted.name, found=there or None, wanted=should or None
        )

    if found.type != wanted.type:
        sizes = [_SIZED.fullmatch(text) for text in (found.type, wanted.type)]
        longer = all(sizes) and int(sizes[0][1]) > int(sizes[1][1])  # type: ignore[index]
        text = f"{where} is {found.type or 'without a type'} and should be {wanted.type or 'without a type'}"
        yield differs("type", found.type, wanted.type, text, harmless=longer)
    if found.nullable != wanted.nullable:
        words = ("NULL", "NOT NULL") if found.nullable else ("NOT NULL", "NULL")
        yield differs("nullable", *words, f"{where} is {words[0]} and should be {words[1]}")
    if found.default != wanted.default:
        text = f"the default of {where} is {found.default or 'none'} and should be {wanted.default or 'none'}"
        harmless = found.meaning == wanted.meaning
        yield differs("default", found.default or "", wanted.default or "", text, harmless=harmless)
    if found.extra != wanted.extra:
        text = f"{where} is {found.extra or 'plain'} and should be {wanted.extra or 'plain'}"
        yield differs("extra", found.extra, wanted.extra, text)


def _different_rules(found: SchemaObject, wanted: SchemaObject) -> Iterator[Difference]:
    name = wanted.name
    extra = sorted(found.rules - wanted.rules, key=_order)
    for rule in sorted(wanted.rules - found.rules, key=_order):
        twin = next((e for e in extra if (e.kind, e.meaning) == (rule.kind, rule.meaning)), None)
        if twin is None:
            text = f"the {_words(rule, name)} is missing"
            yield Difference(name, text, kind=rule.kind, object=rule.name, wanted=rule.meaning)
        else:
            extra.remove(twin)
            text = f"the {_words(rule, name)} is named {twin.name or 'nothing'}"
            kind, harmless = f"{rule.kind} name", rule.kind == "index"
            yield Difference(name, text, harmless, kind=kind, object=rule.name, found=twin.name, wanted=rule.name)
    for rule in extra:
        text = f"the {_words(rule, name)} is there and should not be"
        yield Difference(name, text, kind=rule.kind, object=rule.name, found=rule.meaning)


def _order(rule: Rule) -> tuple[str, str, str]:
    return rule.kind, rule.meaning, rule.name or ""


def _words(rule: Rule, table: str) -> str:
    return f"{rule.kind} {rule.name or 'without a name'} on {table}: {rule.meaning}"
