"""Constraints that name a column as the same batch renames it: SQLite renames last, so they are made under the old names."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from migrator.dialects.sqlite.sql.create_table import Clause, Definition, parse
from migrator.dialects.sqlite.sql.tokens import quoted, same


def before_renames(
    new: Definition, base: Definition, extra: Iterable[Clause], old_names: Mapping[str, str], table: str
) -> Definition:
    """Return the new definition with `extra` constraints of the step, in all of the step's own the columns under their old names.

    `old_names` are keyed by the new ones, case-folded; `base` is the definition without the step's changes. A primary key in `extra` takes
    the place of the one in `new`.
    """
    added = tuple(extra)
    known = [clause.spelled for _, clause in base.every()]
    makes_key = any(clause.kind == "PRIMARY KEY" for clause in added)
    kept = [clause for clause in new.constraints if not (makes_key and clause.kind == "PRIMARY KEY")]
    return replace(
        new,
        constraints=tuple(
            clause if clause.spelled in known else _renamed(clause, old_names, table) for clause in (*kept, *added)
        ),
    )


def _renamed(clause: Clause, old_names: Mapping[str, str], table: str) -> Clause:
    text, shift = clause.text, -clause.tokens[0].start
    foreign = bool(clause.target) and not same(clause.target[0], table)
    first = 2 if clause.name is not None else 0
    for at, token in enumerate(clause.tokens):
        if foreign and token.word == "REFERENCES":
            break
        after = clause.tokens[at + 1].text if at + 1 < len(clause.tokens) else ""
        is_function = token.kind == "word" and after == "("
        if at >= first and token.kind in ("word", "quoted") and token.normal in old_names and not is_function:
            name = quoted(old_names[token.normal])
            text = text[: token.start + shift] + name + text[token.end + shift :]
            shift += len(name) - (token.end - token.start)
    [found] = parse(f"CREATE TABLE t (c, {text})").constraints
    return found
