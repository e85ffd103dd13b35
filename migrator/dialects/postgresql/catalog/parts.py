"""The rows of the catalogs, each turned into a column, a rule or a definition in words."""

import re
from collections.abc import Sequence
from typing import Any

from migrator.dialects.expression import plain
from migrator.dialects.questions import Questions
from migrator.dialects.schema_object import Column, Rule

Words = Sequence[Any]

_KINDS = {"p": "primary key", "u": "unique", "f": "foreign key", "c": "check", "x": "exclude"}
_KEYWORDS = re.compile(r"^(PRIMARY KEY|UNIQUE|FOREIGN KEY|EXCLUDE)\s*")
_SUFFIXES = re.compile(r"\)((?: NO INHERIT| NOT VALID| NOT ENFORCED)*)$")
_NAME = r'(?:"(?:[^"]|"")+"|[^\s".]+)'
_INDEX = re.compile(rf"CREATE (?:UNIQUE )?INDEX {_NAME} ON (?:ONLY )?(?:{_NAME}\.)?{_NAME} USING ({_NAME}) (.*)", re.S)
_CREATED = re.compile(rf"\s*CREATE (?:CONSTRAINT )?(?:TRIGGER|RULE) {_NAME}(?: AS\s)?\s*", re.S)
_BLANKS = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")|\s+""")
_PIECES = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\w+|\s+|.""", re.S)
_STATES = {"O": "", "D": ", disabled", "R": ", on replicas only", "A": ", on replicas too"}
_SHORT = {"character varying": "VARCHAR", "character": "CHAR", "bit varying": "VARBIT"}
_COMMANDS = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE", "*": "ALL"}
_GENERATED = {"s": "STORED", "v": "VIRTUAL"}
_IDENTITY = {"a": "ALWAYS", "d": "BY DEFAULT"}


def column(name: str, words: Words, dialect: Questions) -> Column:
    """Return a column; an ENUM has its labels in its type."""
    _, kind, labels, required, default, generated, identity, counts, collation, schema, options, alone = words
    extra = [f"COLLATE {collation}"] if collation else []
    if generated:
        extra.append(f"GENERATED AS ({plain(default, dialect)}) {_GENERATED[generated]}")
        default = None
    if identity:
        extra.append(f"GENERATED {_IDENTITY[identity]} AS IDENTITY ({counts})")
    extra += [*([f"OPTIONS {options}"] if options else []), *([f"NOT NULL {alone}"] if alone else [])]
    said = f"ENUM {kind} ({labels})" if labels is not None else _type(kind) if schema == "pg_catalog" else kind
    return Column(name, said, required != "true", default, plain(default, dialect), " ".join(extra))


def constraint(name: str, words: Words, dialect: Questions) -> Rule:
    """Return a constraint; of a foreign key also whether its triggers are disabled, so that nothing enforces it."""
    kind, definition, condition, states, valid = words
    if kind == "c":
        suffix = _SUFFIXES.search(definition)
        return Rule("check", name, f"{plain(condition, dialect)}{suffix[1].lower() if suffix else ''}")
    said, where = _without_storage(_KEYWORDS.sub("", definition))
    invalid = ", INVALID" * (valid == "false")
    return Rule(_KINDS[kind], name, f"{said}{f' WHERE {where}' if where else ''}{_state(states)}{invalid}")


def view_default(name: str, words: Words, dialect: Questions) -> Rule:
    """Return what an INSERT into a view gives a column that it does not name."""
    return Rule("default", name, words[0])


def index(name: str, words: Words, dialect: Questions) -> Rule:
    """Return an index with all that PostgreSQL says of it: operator classes, order, INCLUDE, condition."""
    unique, valid, definition = words
    made = _INDEX.match(definition)
    method, rest = (made[1], made[2]) if made else ("", definition)
    keys, where = _without_storage(rest)
    said = dialect.canonical(keys, ()) + (f" where {plain(where, dialect)}" if where else "")
    using = "" if method == "btree" else f"USING {method} "
    return Rule("index", name, f"{'unique ' * (unique == 'true')}{using}{said}{', INVALID' * (valid != 'true')}")


def trigger(name: str, words: Words, dialect: Questions) -> Rule:
    """Return a trigger."""
    state, definition = words
    return Rule("trigger", name, _CREATED.sub("", definition, count=1) + _state(state))


def rewrite_rule(name: str, words: Words, dialect: Questions) -> Rule:
    """Return a rule (CREATE RULE)."""
    state, definition = words
    said = _BLANKS.sub(lambda found: found[1] or " ", _CREATED.sub("", definition, count=1)).strip()
    return Rule("rule", name, said + _state(state))


def policy(name: str, words: Words, dialect: Questions) -> Rule:
    """Return a policy of row level security."""
    permissive, command, roles, using, check = words
    said = f"{'' if permissive == 'true' else 'RESTRICTIVE '}FOR {_COMMANDS[command]} TO {roles}"
    return Rule("policy", name, said + (f" USING ({using})" if using else "") + (f" CHECK ({check})" if check else ""))


def properties(words: Words) -> frozenset[str]:
    """Return what holds for a relation as a whole."""
    _, persistence, secured, forced, partitioned, bound, parents, method, _, options, server, replica = words
    said = {
        "UNLOGGED": persistence == "u",
        "ROW LEVEL SECURITY": secured == "true",
        "FORCE ROW LEVEL SECURITY": forced == "true",
        f"PARTITION BY {partitioned}": partitioned,
        f"PARTITION OF {parents} {bound}": bound,
        f"INHERITS ({parents})": parents and not bound,
        f"USING {method}": method,
        f"WITH ({options})": options,
        f"SERVER {server}": server,
        f"REPLICA IDENTITY {replica}": replica,
    }
    return frozenset(words for words, holds in said.items() if holds)


def view(words: Words) -> str:
    """Return what a view selects, empty for other relations."""
    return words[8] or ""


def sequence(words: Words) -> str:
    """Return how a sequence counts, and the column that owns it."""
    kind, counts, owner, persistence = words
    return f"{'UNLOGGED ' * (persistence == 'u')}AS {kind} {counts}{f' OWNED BY {owner}' if owner else ''}"


def function(words: Words) -> str:
    """Return all that a function is, its body last."""
    kind, arguments, result, language, volatile, parallel, strict, definer, leakproof, settings, body, library = words
    flags = f"{kind} {volatile} {parallel} {strict} {definer} {leakproof}"
    texts = (f"({arguments})", f"returns {result}", language, flags, settings, library, body.rstrip())
    return "; ".join(text for text in texts if text)


def type_(words: Words) -> str:
    """Return a domain with its constraints, the labels of an ENUM, or a range."""
    kind, labels, base, required, default, collation, checks, subtype = words
    if kind == "e":
        return f"ENUM ({labels or ''})"
    if kind == "r":
        return f"RANGE ({subtype})"
    more = (
        collation and f"COLLATE {collation}",
        default and f"DEFAULT {default}",
        required == "true" and "NOT NULL",
        checks,
    )
    return " ".join([f"DOMAIN {base}", *filter(None, more)])


def collation(words: Words) -> str:
    """Return how a collation orders."""
    return str(words[0])


def extension(words: Words) -> str:
    """Return nothing: an extension's version is not the history's to say."""
    return ""


def _without_storage(definition: str) -> tuple[str, str]:
    """Return what an index says before its condition, without its storage parameters, and its condition."""
    pieces: list[tuple[int, str]] = []
    depth = 0
    for piece in _PIECES.findall(definition):
        depth -= piece == ")"
        pieces.append((depth, piece))
        depth += piece == "("
    ends = next((at for at, it in enumerate(pieces) if it == (0, "WHERE")), len(pieces))
    start = next((at for at, it in enumerate(pieces[:ends]) if it == (0, "WITH")), ends)
    rest = next((at for at, it in enumerate(pieces) if at > start and it == (0, ")")), ends) + 1
    kept = [piece for _, piece in (*pieces[:start], *pieces[rest:ends])]
    return "".join(kept).strip(), "".join(piece for _, piece in pieces[ends + 1 :]).strip()


def _state(states: str | None) -> str:
    return "".join(_STATES[state] for state in states or "")


def _type(kind: str) -> str:
    words = next(
        (short + kind.removeprefix(long) for long, short in _SHORT.items() if re.match(rf"{long}(\W|$)", kind)), kind
    )
    return words.replace(",", ", ").upper()
