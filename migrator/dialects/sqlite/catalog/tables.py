"""What a CREATE TABLE of SQLite means: its columns and constraints, equal when they do the same, wherever in the text they stand."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from migrator.dialects.expression import plain
from migrator.dialects.questions import Questions
from migrator.dialects.schema_object import Column, Rule
from migrator.dialects.sqlite.sql.create_table import Clause, Column as Written, Definition
from migrator.dialects.sqlite.sql.spelling import name
from migrator.dialects.sqlite.sql.tokens import Token, folded, with_depth

_SAME_TYPE = {"INT": "INTEGER", "BOOL": "BOOLEAN"}  # one affinity, and one type for SQLAlchemy
_CONSTANTS = ("NULL", "TRUE", "FALSE", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP")
_NO_ROWID = "WITHOUT ROWID"


def columns(definition: Definition, dialect: Questions) -> tuple[Column, ...]:
    """Return the columns. The rowid, and a key of a table that has none, is never NULL, whether that is written or not."""
    key = _key_columns(definition)
    never_null = key if _NO_ROWID in definition.options or definition.rowid_column else ()
    names = column_names(definition)
    return tuple(_column(written, written.key in never_null, names, dialect) for written in definition.columns.values())


def column_names(definition: Definition | None) -> tuple[str, ...]:
    """Return the names of the columns, as they are written."""
    return () if definition is None else tuple(column.name for column in definition.columns.values())


def rules(definition: Definition, targets: Mapping[str, tuple[str, ...]], dialect: Questions) -> Iterator[Rule]:
    """Yield the constraints. `targets` has the columns of the parents that a key names without them."""
    names = column_names(definition)
    for column, clause in definition.every():
        if clause.kind == "PRIMARY KEY":
            yield Rule("primary key", clause.name, _primary_key(definition, column, clause, dialect))
        elif clause.kind == "UNIQUE":
            yield Rule("unique", clause.name, _keys(column, clause, names, dialect) + _conflict(clause.tokens))
        elif clause.kind == "CHECK":
            yield Rule("check", clause.name, expression(_inside(clause.tokens), names, dialect))
        else:
            yield Rule("foreign key", clause.name, _foreign_key(clause, targets))


def implied_targets(
    definition: Definition, parsed: Mapping[str, Definition | None]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the key columns of each parent that a foreign key names without its columns."""
    named = {_parent(clause) for _, clause in definition.every() if len(clause.target) == 1}
    return tuple((parent, _key_columns(parsed.get(parent))) for parent in sorted(named))


def expression(tokens: Sequence[Token], names: Collection[str], dialect: Questions) -> str:
    """Return an expression without its spelling and its comments. `names` are those of the columns."""
    return plain(" ".join(token.text for token in tokens), dialect, names) or ""


def key_parts(tokens: Sequence[Token], names: Collection[str], dialect: Questions) -> list[str]:
    """Return what stands between the commas of a list in brackets, of which these are the tokens."""
    parts: list[list[Token]] = [[]]
    for depth, token in with_depth(tokens[1:-1]):
        if depth == 0 and token.text == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return [expression(part[:-1] if part and part[-1].word == "ASC" else part, names, dialect) for part in parts]


def _column(written: Written, never_null: bool, names: Collection[str], dialect: Questions) -> Column:
    default = next((clause for clause in reversed(written.clauses) if clause.kind == "DEFAULT"), None)
    said = () if default is None else _without_name(default)[1:]
    required = any(clause.kind == "NULL" and clause.says("NOT") for clause in written.clauses)
    return Column(
        written.name,
        _type(written.type_text),
        not (required or never_null),
        None if default is None else default.text[said[0].start - default.tokens[0].start :],
        None if default is None else _value(said, dialect),
        " ".join(_extra(written, names, dialect)),
    )


def _without_name(clause: Clause) -> Sequence[Token]:
    return clause.tokens[2 if clause.name is not None else 0 :]


def _value(words: Sequence[Token], dialect: Questions) -> str:
    """Return what a default is; a word that is no constant of SQL is a text, with its case."""
    if len(words) == 1 and words[0].kind in ("word", "quoted") and words[0].word not in _CONSTANTS:
        return "'" + words[0].name.replace("'", "''") + "'"
    return expression(words, (), dialect)


def _type(text: str) -> str:
    words = re.sub(r"\s*([(),])\s*", r"\1", " ".join(text.split())).replace(",", ", ").strip('"[]`').upper()
    return _SAME_TYPE.get(words, words)


def _extra(written: Written, names: Collection[str], dialect: Questions) -> Iterator[str]:
    # Of two that say the same thing SQLite follows the last.
    last = {clause.kind: clause for clause in written.clauses if clause.kind != "NULL" or clause.says("NOT")}
    for clause in (last[kind] for kind in ("COLLATE", "NULL", "GENERATED") if kind in last):
        words = _without_name(clause)
        if clause.kind == "COLLATE" and folded(words[-1].name) != "binary":
            yield f"COLLATE {words[-1].name.upper()}"
        elif clause.kind == "NULL" and (conflict := _conflict(words)):
            yield f"NOT NULL{conflict}"
        elif clause.kind == "GENERATED":
            how = "STORED" if clause.says("STORED") else "VIRTUAL"
            yield f"GENERATED AS ({expression(_inside(clause.tokens), names, dialect)}) {how}"


def _primary_key(definition: Definition, column: Written | None, clause: Clause, dialect: Questions) -> str:
    rowid = ", the rowid" if definition.rowid_column else ""
    again = ", AUTOINCREMENT" if clause.says("AUTOINCREMENT") else ""
    return f"{_keys(column, clause, column_names(definition), dialect)}{rowid}{again}{_conflict(clause.tokens)}"


def _key_columns(definition: Definition | None) -> tuple[str, ...]:
    if definition is None or (found := definition.primary_key) is None:
        return ()
    return found[1].columns


def _keys(column: Written | None, clause: Clause, names: Collection[str], dialect: Questions) -> str:
    if column is not None:
        return f"({name(column.name)}{' desc' if clause.says('DESC') else ''})"
    bracket = [token for token in _bracket(clause.tokens) if token.word != "AUTOINCREMENT"]
    return f"({', '.join(key_parts(bracket, names, dialect))})"


def _foreign_key(clause: Clause, targets: Mapping[str, tuple[str, ...]]) -> str:
    named = clause.target[1:]
    words = [token.word for token in clause.tokens]
    after = words[words.index("REFERENCES") :] if "REFERENCES" in words else []
    said = "".join(f" ON {event} {does}" for event in ("DELETE", "UPDATE") if (does := _action(after, event)))
    if "DEFERRABLE" in after and after[after.index("DEFERRABLE") - 1] != "NOT":
        said += " DEFERRABLE INITIALLY DEFERRED" if "DEFERRED" in after else " DEFERRABLE"
    table = _parent(clause)
    own, theirs = (", ".join(map(name, names)) for names in (clause.columns, named or targets.get(table, ())))
    return f"({own}) REFERENCES {name(table)}({theirs}){said}"


def _parent(clause: Clause) -> str:
    """Return the table that a foreign key refers to, as SQLite compares names."""
    at = next(at for at, token in enumerate(clause.tokens) if token.word == "REFERENCES")
    return folded(clause.tokens[at + 1].name)


def _action(words: Sequence[str], event: str) -> str:
    at = next((at for at in range(1, len(words)) if words[at] == event and words[at - 1] == "ON"), None)
    if at is None:
        return ""
    action = " ".join(words[at + 1 : at + 3]) if words[at + 1] in ("SET", "NO") else words[at + 1]
    return "" if action == "NO ACTION" else action


def _conflict(tokens: Sequence[Token]) -> str:
    words = [token.word for token in tokens]
    at = next((at for at in range(1, len(words) - 1) if words[at] == "CONFLICT" and words[at - 1] == "ON"), None)
    return "" if at is None or words[at + 1] == "ABORT" else f" ON CONFLICT {words[at + 1]}"


def _bracket(tokens: Sequence[Token]) -> Sequence[Token]:
    """Return the tokens of the first pair of brackets, brackets included."""
    levels = list(with_depth(tokens))
    start = next(at for at, (_, token) in enumerate(levels) if token.text == "(")
    end = next(at for at, (depth, token) in enumerate(levels) if at > start and depth == 0 and token.text == ")")
    return tokens[start : end + 1]


def _inside(tokens: Sequence[Token]) -> Sequence[Token]:
    return _bracket(tokens)[1:-1]
