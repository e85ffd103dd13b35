"""The definition of a rebuilt table: its old text, changed only in what the step changes.

Alembic makes the new table from what SQLAlchemy reflects, and much of a CREATE TABLE is not reflected. So three texts are compared:
`old` as SQLite stored it, `base` as Alembic would write the unchanged table, and `new` as it writes the changed one. Where base and new
agree the step changes nothing, and the old text stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from migrator.dialects.sqlite.rebuild.values import affinity
from migrator.dialects.sqlite.sql.create_table import Clause, Column, Definition
from migrator.dialects.sqlite.sql.tokens import folded

_ATTRIBUTES = ("TYPE", "NULL", "DEFAULT", "COLLATE", "GENERATED")
_EXTRAS = ("AUTOINCREMENT", "DESC", "CONFLICT")
Additions = list[tuple[Column | None, Clause]]


@dataclass
class Merge:
    """The three definitions of `table`, and after `run()` what becomes of them.

    `standing` are the names of the constraints that the step did not drop itself, `accepted` the losses that are allowed, `meant` those
    that go even where they could be kept, `restates_checks` says that it adds CHECKs for those that reflection cannot name, `arranges`
    that it asks for an order of columns, `makes_key` that it makes a primary key. `anew` are the columns that it drops and adds again, and
    `made` the names of the constraints that it makes.
    """

    table: str
    old: Definition
    base: Definition
    new: Definition
    standing: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()
    meant: frozenset[str] = frozenset()
    restates_checks: bool = False
    arranges: bool = False
    makes_key: bool = False
    anew: frozenset[str] = frozenset()
    made: frozenset[str] = frozenset()

    items: list[str] = field(default_factory=list)
    """The new table, to be joined by commas."""
    options: tuple[str, ...] = ()
    lost: list[str] = field(default_factory=list)
    """What cannot be kept and was not accepted, in words."""
    direct: bool = True
    """Whether columns are only added at the end or removed, and nothing else changes."""
    retyped: set[str] = field(default_factory=set)
    """The columns that get another type, also if SQLite's own stays what it is."""
    taken_along: list[str] = field(default_factory=list)
    """The keys that go with a column, in words, because PostgreSQL drops them with it as well."""
    converted: set[str] = field(default_factory=set)
    """The columns whose values may change, or may compare in another way afterwards."""
    keys_lost: bool = False
    """Whether a PRIMARY KEY or UNIQUE, to which a foreign key may refer, is removed."""
    new_keys: set[str] = field(default_factory=set)
    """The columns of foreign keys that are added."""
    made_key: set[str] = field(default_factory=set)
    """The columns of a primary key that is added, which are never NULL, as on PostgreSQL."""
    removed: list[Column] = field(default_factory=list)
    """The columns that the new table does not have, as they were."""
    added: list[Column] = field(default_factory=list)
    """The columns that only the new table has."""

    def run(self) -> "Merge":
        """Merge, and return itself. Sends nothing."""
        stay = (self.old.columns.keys() & self.new.columns.keys()) - self.anew
        self.removed = [column for key, column in self.old.columns.items() if key not in stay]
        self.added = [column for key, column in self.new.columns.items() if key not in stay]
        self._gone = {column.key for column in self.removed}
        self._kept: dict[int, str] = {}
        for column in self.removed:
            if (
                column.key not in self.base.columns
            ):  # a Table that the revision gave leaves it out, and no operation drops it
                self._lose(f"{self.table}: column {column.name}")
        additions = self._additions()
        self._constraints(additions)
        appended = [key for key in self.old.columns if key not in self._gone] + [column.key for column in self.added]
        order = list(self.new.columns) if self.arranges else appended
        for key in order:
            column, before = self.new.columns[key], None if key in self._gone else self.old.columns.get(key)
            self.items.append(_closed(column.text) if before is None else self._column(before, column, additions))
        table_level = [self._kept[id(clause)] for clause in self.old.constraints if id(clause) in self._kept]
        self.items += [
            "\n\t" + text for text in (*table_level, *(clause.text for column, clause in additions if column is None))
        ]
        self.options = tuple(option for option in self.old.options if f"{self.table}: {option}" not in self.meant)
        self.options += tuple(o for o in self.new.options if o not in self.base.options and o not in self.old.options)
        untouched = table_level == [clause.text for clause in self.old.constraints] and self.options == self.old.options
        self.direct = self.direct and untouched and not additions and order == appended
        return self

    def _additions(self) -> Additions:
        """Return the constraints that the step adds, with the column they are written in; not those of added columns."""
        known = [clause.spelled for _, clause in self.base.every()]
        additions: Additions = []
        for column, clause in self.new.every():
            if clause.kind == "PRIMARY KEY" and self._is_left_over():
                continue
            if clause.spelled in known and not (clause.name in self.made and self.anew & set(clause.columns)):
                known.remove(clause.spelled)
                if clause.kind != "PRIMARY KEY" or self._same_primary_key():
                    continue
            elif clause.kind == "PRIMARY KEY" and self._same_primary_key():
                continue
            if column is None or (column.key in self.old.columns and column.key not in self._gone):
                additions.append((column, clause))
        self.new_keys = {key for _, clause in additions if clause.kind == "FOREIGN KEY" for key in clause.columns}
        self.made_key = {key for _, clause in additions if clause.kind == "PRIMARY KEY" for key in clause.columns}
        return additions

    def _constraints(self, additions: Additions) -> None:
        candidates = [clause for _, clause in self.base.every()]
        for column, clause in self.old.every():
            match = next((found for found in candidates if _alike(clause, found)), None)
            if match:
                candidates.remove(match)
            if column is not None and column.key in self._gone:
                stays = False  # it is removed with the column that it is written in
            elif clause.kind == "PRIMARY KEY":
                stays = self._primary_key_stays(column, clause)
            else:
                stays = self._stays(column, clause, match, additions)
            if not stays:
                self.keys_lost |= clause.kind in ("PRIMARY KEY", "UNIQUE")
            elif match and match.name and clause.name is None and clause.kind != "PRIMARY KEY":
                # batch_alter_table(naming_convention=…) names what had no name, and later revisions may drop it by that name.
                self._kept[id(clause)] = clause.under(match.tokens[1].text)
            elif clause.kind == "PRIMARY KEY" and (name := self._new_name_of_the_primary_key()):
                self._kept[id(clause)] = clause.under(name)
            else:
                self._kept[id(clause)] = clause.text

    def _stays(self, column: Column | None, clause: Clause, base: Clause | None, additions: Additions) -> bool:
        if base is not None and base.name is not None:
            after = {other.name: other.spelled for _, other in self.new.every()}
            if after.get(base.name) != base.spelled and (base.name in after or base.name not in self.standing):
                return False  # the step dropped it, or replaces it
        about = set(clause.columns) & self.old.columns.keys()
        words = self._words(column, clause)
        if about & self._gone:
            if not about <= self._gone and clause.kind == "UNIQUE":
                self.taken_along.append(words)
            elif not about <= self._gone:
                self._lose(words)
            return False
        if clause.kind == "CHECK" and clause.name is None and self.restates_checks:
            if not any(other.body == clause.body for _, other in additions):
                self._lose(words)
            return False
        return words not in self.meant

    def _same_primary_key(self) -> bool:
        base, new, old = (
            found and found[1] for found in (self.base.primary_key, self.new.primary_key, self.old.primary_key)
        )
        if old is None or self._gone & set(old.columns):
            return False
        if base is None or new is None:
            return base is new
        return base.columns == new.columns and base.says("AUTOINCREMENT") == new.says("AUTOINCREMENT")

    def _is_left_over(self) -> bool:
        """Return whether the key in `new` is what Alembic leaves of one that loses a column; PostgreSQL drops the whole key."""
        columns = set(self.old.primary_key[1].columns) if self.old.primary_key else set()
        return not self.makes_key and bool(self._gone & columns) and not columns <= self._gone

    def _new_name_of_the_primary_key(self) -> str | None:
        """Return the name that create_primary_key() gives a key of the same columns, None if the step does not name it anew."""
        base, new = self.base.primary_key, self.new.primary_key
        assert base is not None
        assert new is not None
        return new[1].tokens[1].text if new[1].name is not None and new[1].name != base[1].name else None

    def _primary_key_stays(self, column: Column | None, clause: Clause) -> bool:
        if self._same_primary_key():
            return True
        new = self.new.primary_key
        if self._gone & set(clause.columns):
            if self._is_left_over() and (clause.name is None or clause.name in self.standing):
                self.taken_along.append(self._words(column, clause))
        elif any(clause.says(word) and not (new and new[1].says(word)) for word in _EXTRAS):
            self._lose(self._words(column, clause))
        return False

    def _column(self, old: Column, new: Column, additions: Additions) -> str:
        """Return the column's old text, changed in what the step changes."""
        base = self.base.columns.get(old.key)
        meant = {
            kind for kind in _ATTRIBUTES if base is not None and base.says(kind) != new.says(kind) != old.says(kind)
        }
        if "TYPE" in meant:
            self.retyped.add(old.key)
            self.direct = False
            if self._stays_the_rowid(old, new):
                meant.remove("TYPE")
        pieces = [*self._pieces(old, new, meant), *(clause.text for column, clause in additions if column is new)]
        if meant & {"TYPE", "COLLATE", "GENERATED"} or any(
            clause.text not in pieces for clause in old.clauses if clause.kind in ("COLLATE", "GENERATED")
        ):
            self.converted.add(old.key)
        if not meant and pieces == [clause.text for clause in old.clauses]:
            return _closed(old.text)
        self.direct = False
        kind = new.type_text if "TYPE" in meant else old.type_text
        return "\n\t" + " ".join(part for part in (old.head, kind, *pieces) if part)

    def _pieces(self, old: Column, new: Column, meant: set[str]) -> Iterator[str]:
        left = {kind: clause.text for kind in _ATTRIBUTES[1:] if kind in meant and (clause := new.of(kind))}
        if old.key in self.made_key and not any("NOT" in column.says("NULL") for column in (old, new)):
            meant, left = meant | {"NULL"}, left | {"NULL": "NOT NULL"}
        for clause in old.clauses:
            if clause.kind in meant:
                if clause.kind in left:
                    yield left.pop(clause.kind)
            elif id(clause) in self._kept:
                yield self._autoincrement(old, new, clause, meant)
            elif clause.kind in _ATTRIBUTES:
                words = self._words(old, clause)
                if clause.kind == "GENERATED" and set(clause.columns) & self._gone:
                    self._lose(words)
                elif words not in self.meant:
                    yield clause.text
        yield from left.values()

    def _stays_the_rowid(self, old: Column, new: Column) -> bool:
        """Return whether the column stays INTEGER, of which SQLite makes the rowid; it holds every integer, and goes on counting.

        As any other type it would be an ordinary column, which gets no value by itself.
        """
        key = self.old.primary_key
        if key is None or self.old.rowid_column != old.key or not self._same_primary_key():
            return False
        words = f"{self.table}: INTEGER PRIMARY KEY on {old.name}"
        if affinity(new.type_text) == "INTEGER":
            return words not in self.meant
        if not key[1].says("AUTOINCREMENT"):  # else that is what is lost
            self._lose(words)
        return False

    def nulls_refused(self, made: Definition) -> set[str]:
        """Return the columns of the new table that must not be NULL before, because they are its key now or SQLite would number them."""
        numbered = {made.rowid_column} - {self.old.rowid_column, None}
        return {key for key in (*self.made_key, *numbered) if key in self.old.columns}

    def _autoincrement(self, old: Column, new: Column, clause: Clause, meant: set[str]) -> str:
        """Return the clause, without an AUTOINCREMENT that the new type cannot have or whose loss is meant."""
        text, words = self._kept[id(clause)], f"{self.table}: AUTOINCREMENT on {old.name}"
        if not clause.says("AUTOINCREMENT"):
            return text
        if "TYPE" in meant and new.type != ("integer",):
            self._lose(words)
        elif words not in self.meant:
            return text
        at = next(token for token in clause.tokens if token.word == "AUTOINCREMENT")
        return text[: at.start - clause.tokens[0].start].rstrip()

    def _words(self, column: Column | None, clause: Clause) -> str:
        return f"{self.table}: {' '.join(clause.text.split())}" + (f" on {column.name}" if column else "")

    def _lose(self, words: str) -> None:
        if words not in self.accepted:
            self.lost.append(words)


def _alike(old: Clause, base: Clause) -> bool:
    """Return whether two clauses are the same constraint; reflection may spell it with more words, or fewer."""
    if old.kind != base.kind or (old.name and base.name and folded(old.name) != folded(base.name)):
        return False
    if old.kind == "CHECK":
        return bool(old.name and base.name) or old.body == base.body
    if old.kind == "FOREIGN KEY":
        return old.columns == base.columns and old.target == base.target[: len(old.target)]
    return old.columns == base.columns


def _closed(text: str) -> str:
    """Return the text of an item so that a comma may follow: a comment at its end would hide the comma."""
    text = text.rstrip()
    return text + ("\n" if "--" in text.rsplit("\n", 1)[-1] else "")
