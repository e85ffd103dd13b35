"""SQLite: whatever makes a schema do something else is told, and what only looks different is not."""

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from migrator.dialects import named
from migrator.results.adoption import Difference
from migrator.schema.compare import compare
from migrator.schema.snapshot import Snapshot, snapshot

SCHEMA = """
CREATE TABLE parents (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT NOT NULL UNIQUE, flat TEXT) STRICT;
CREATE TABLE keyed (a TEXT, b TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE children (
    id INTEGER PRIMARY KEY,
    parent INTEGER NOT NULL REFERENCES parents (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    email VARCHAR(100) COLLATE NOCASE,
    amount INTEGER NOT NULL DEFAULT 0,
    twice INTEGER GENERATED ALWAYS AS (amount * 2) STORED,
    CONSTRAINT uq_email UNIQUE (email) ON CONFLICT REPLACE,
    CHECK (amount >= 0)
);
CREATE INDEX ix_amount ON children (amount DESC, email COLLATE NOCASE);
CREATE UNIQUE INDEX ix_some ON children (lower(email)) WHERE amount > 5;
CREATE TRIGGER touch AFTER UPDATE ON children BEGIN UPDATE parents SET code = 'A' WHERE id = new.parent; END;
CREATE VIEW rich AS SELECT id FROM children WHERE amount > 100;
CREATE TRIGGER rich_insert INSTEAD OF INSERT ON rich BEGIN SELECT 1; END;
CREATE VIRTUAL TABLE found USING fts5(text, tokenize = 'porter');
CREATE TABLE "Ä" (id INTEGER NOT NULL PRIMARY KEY, odd REFERENCES "Ä", "odd key" TEXT);
CREATE TABLE "ä" (id INTEGER NOT NULL PRIMARY KEY, "a-b" INTEGER CHECK ("a-b" > 0), a INTEGER, b INTEGER);
CREATE TABLE states (
    state TEXT DEFAULT "New" CHECK (state IN ("Open", 'Closed')),
    made TEXT GENERATED ALWAYS AS (state || "X") VIRTUAL,
    alone TEXT COLLATE NOCASE UNIQUE
);
CREATE INDEX ix_states ON states (state) WHERE state <> "Never";
CREATE TRIGGER opened AFTER INSERT ON states BEGIN UPDATE states SET state = "Was"; END;
CREATE VIEW opens AS SELECT "state" FROM states WHERE "state" = "Is";
"""
# What is replaced, by what, and what is said of it.
CHANGED = {
    "ON DELETE": (
        " ON DELETE CASCADE",
        "",
        "foreign key without a name on children: (parent) REFERENCES parents(id) DEFERRABLE",
    ),
    "ON DELETE of another kind": (
        "ON DELETE CASCADE",
        "ON DELETE SET NULL",
        "REFERENCES parents(id) ON DELETE SET NULL",
    ),
    "ON UPDATE": ("ON DELETE CASCADE", "ON DELETE CASCADE ON UPDATE CASCADE", "ON DELETE CASCADE ON UPDATE CASCADE"),
    "deferred": (" DEFERRABLE INITIALLY DEFERRED", "", "ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED is missing"),
    "deferrable": (" INITIALLY DEFERRED", "", "ON DELETE CASCADE DEFERRABLE is there"),
    "another parent": ("REFERENCES parents (id)", "REFERENCES keyed (id)", "REFERENCES keyed(id)"),
    "no key": (
        " REFERENCES parents (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED",
        "",
        "foreign key without a name on children",
    ),
    "AUTOINCREMENT": (
        " AUTOINCREMENT",
        "",
        "primary key without a name on parents: (id), the rowid, AUTOINCREMENT is missing",
    ),
    "INT for INTEGER": (
        "id INTEGER PRIMARY KEY,",
        "id INT PRIMARY KEY,",
        "primary key without a name on children: (id) is there",
    ),
    "BIGINT for INTEGER": (
        "id INTEGER PRIMARY KEY,",
        "id BIGINT PRIMARY KEY,",
        "children.id is BIGINT and should be INTEGER",
    ),
    "DESC in the key": ("id INTEGER PRIMARY KEY,", "id INTEGER PRIMARY KEY DESC,", "(id desc) is there"),
    "ON CONFLICT of the key": (
        "id INTEGER PRIMARY KEY,",
        "id INTEGER PRIMARY KEY ON CONFLICT REPLACE,",
        "the rowid ON CONFLICT REPLACE is there",
    ),
    "order of the key": (
        "PRIMARY KEY (a, b)",
        "PRIMARY KEY (b, a)",
        "primary key without a name on keyed: (b, a) is there",
    ),
    "collation": (
        "VARCHAR(100) COLLATE NOCASE",
        "VARCHAR(100)",
        "children.email is plain and should be COLLATE NOCASE",
    ),
    "another collation": (
        "VARCHAR(100) COLLATE NOCASE",
        "VARCHAR(100) COLLATE RTRIM",
        "is COLLATE RTRIM and should be COLLATE NOCASE",
    ),
    "STRICT": (") STRICT", ")", "the table parents is not STRICT"),
    "STRICT, too": (
        "PRIMARY KEY (a, b)) WITHOUT ROWID",
        "PRIMARY KEY (a, b)) WITHOUT ROWID, STRICT",
        "the table keyed is STRICT and should not be",
    ),
    "WITHOUT ROWID": (" WITHOUT ROWID", "", "the table keyed is not WITHOUT ROWID"),
    "ON CONFLICT of UNIQUE": (
        " ON CONFLICT REPLACE",
        "",
        "unique uq_email on children: (email) ON CONFLICT REPLACE is missing",
    ),
    "ON CONFLICT of NOT NULL": (
        "code TEXT NOT NULL",
        "code TEXT NOT NULL ON CONFLICT IGNORE",
        "parents.code is NOT NULL ON CONFLICT IGNORE",
    ),
    "inline UNIQUE": (" UNIQUE, flat", ", flat", "unique without a name on parents: (code) is missing"),
    "inline UNIQUE, too": ("flat TEXT)", "flat TEXT UNIQUE)", "unique without a name on parents: (flat) is there"),
    "CHECK without a name": (
        "CHECK (amount >= 0)",
        "CHECK (amount >= 1)",
        "check without a name on children: amount>=1",
    ),
    "CHECK gone": (",\n    CHECK (amount >= 0)", "", "check without a name on children: amount>=0 is missing"),
    "CHECK with other letters": (
        "flat TEXT)",
        "flat TEXT CHECK (flat <> 'A'))",
        "check without a name on parents: flat<>'A' is there",
    ),
    "NOT NULL": ("amount INTEGER NOT NULL", "amount INTEGER", "children.amount is NULL and should be NOT NULL"),
    "default": ("DEFAULT 0", "DEFAULT 1", "the default of children.amount is 1 and should be 0"),
    "default gone": (" DEFAULT 0", "", "the default of children.amount is none"),
    "generated from something else": (
        "(amount * 2)",
        "(amount * 3)",
        "children.twice is GENERATED AS (amount*3) STORED",
    ),
    "VIRTUAL": (" STORED", "", "children.twice is GENERATED AS (amount*2) VIRTUAL"),
    "not generated": (
        " GENERATED ALWAYS AS (amount * 2) STORED",
        "",
        "children.twice is plain and should be GENERATED",
    ),
    "DESC of an index": (
        "amount DESC",
        "amount",
        "index ix_amount on children: (amount desc, email collate nocase) is missing",
    ),
    "collation of an index": ("email COLLATE NOCASE)", "email)", "index ix_amount on children"),
    "order of an index": (
        "(amount DESC, email COLLATE NOCASE)",
        "(email COLLATE NOCASE, amount DESC)",
        "index ix_amount on children",
    ),
    "condition of an index": (
        "amount > 5",
        "amount > 6",
        "index ix_some on children: unique (lower(email)) where amount>5 is missing",
    ),
    "no condition": (" WHERE amount > 5", "", "index ix_some on children: unique (lower(email)) is there"),
    "expression of an index": ("lower(email)", "upper(email)", "index ix_some on children"),
    "index not unique": (
        "CREATE UNIQUE INDEX",
        "CREATE INDEX",
        "index ix_some on children: (lower(email)) where amount>5 is there",
    ),
    "trigger does something else": ("code = 'A'", "code = 'a'", "trigger touch on children"),
    "trigger at another time": ("AFTER UPDATE ON children", "AFTER INSERT ON children", "trigger touch on children"),
    "trigger on a column": (
        "AFTER UPDATE ON children",
        "AFTER UPDATE OF amount ON children",
        "trigger touch on children",
    ),
    "trigger of a view": ("BEGIN SELECT 1;", "BEGIN SELECT 2;", "trigger rich_insert on rich"),
    "view": (
        "amount > 100",
        "amount > 99",
        "the view rich is select id from children where amount > 99, and should be select",
    ),
    "virtual table": ("'porter'", "'unicode61'", "the table found"),
    "type": ("VARCHAR(100)", "VARCHAR(50)", "children.email is VARCHAR(50) and should be VARCHAR(100)"),
    "no type": ("flat TEXT)", "flat ANY)", "parents.flat is ANY and should be TEXT"),
    "text in double quotes, of a trigger": ('"Was"', '"was"', "trigger opened on states"),
    "of a CHECK": ('("Open"', '("open"', "check without a name on states: state in(\"open\",'Closed') is there"),
    "of a view": ('"Is"', '"is"', 'where state = "is", and should be select state from states where state = "Is"'),
    "of a generated column": ('"X"', '"x"', 'states.made is GENERATED AS (state||"x") VIRTUAL and'),
    "of a condition": ('"Never"', '"never"', 'where state<>"never" is there'),
    "of a default": ('"New"', '"new"', 'the default of states.state is "new" and should be "New"'),
    "default without quotes": ('"New"', "new", 'the default of states.state is new and should be "New"'),
    "default that is the last of two": ('"New"', '"New" DEFAULT 1', "the default of states.state is 1"),
    "collation that is the last of two": (
        "NOCASE UNIQUE",
        "NOCASE COLLATE BINARY UNIQUE",
        "states.alone is plain and should be",
    ),
    "table with another letter": ('CREATE TABLE "ä"', 'CREATE TABLE "b"', "the table ä is missing"),
    "key to a table with another letter": ('REFERENCES "Ä"', 'REFERENCES "ä"', "REFERENCES ä(id) is there"),
    "name with a sign": ('("a-b" > 0)', "(a-b > 0)", "check without a name on ä: a-b>0 is there"),
    "column": ("flat TEXT)", "flat TEXT, more TEXT)", "the column parents.more (TEXT) is there"),
}
GONE = {
    "DROP TRIGGER touch": "the trigger touch on children: after update on children",
    "DROP VIEW rich": "the view rich is missing",
    "DROP INDEX ix_amount": "the index ix_amount on children",
    "DROP TABLE found": "the table found is missing",
    "CREATE TRIGGER more BEFORE DELETE ON keyed BEGIN SELECT 1; END": "the trigger more on keyed: before delete on keyed begin select 1",
    "ALTER TABLE keyed ADD c TEXT": "the column keyed.c (TEXT) is there and should not be",
    "ALTER TABLE parents RENAME flat TO round": "the column parents.flat (TEXT) is missing",
}
# The same again: inline and not, with and without quotes, comments, ASC, NO ACTION and what else is said by default.
SAME = """
CREATE TABLE parents (id INTEGER NOT NULL, code TEXT NOT NULL, flat text, primary key (id autoincrement), UNIQUE (code)) STRICT;
CREATE TABLE "keyed" ([a] TEXT NOT NULL, `b` TEXT NOT NULL, PRIMARY KEY ("a", "b" ASC)) WITHOUT ROWID;
CREATE TABLE Children (
    id INTEGER NOT NULL, -- the key
    parent INT NOT NULL,
    email varchar( 100 ) COLLATE nocase,
    amount INTEGER DEFAULT 0 NOT NULL ON CONFLICT ABORT,
    twice INTEGER AS (amount*2) STORED CHECK ((  "amount" >= 0)),
    PRIMARY KEY (id),
    CONSTRAINT uq_email UNIQUE ("email") ON CONFLICT REPLACE,
    FOREIGN KEY(parent) REFERENCES "parents" MATCH SIMPLE ON UPDATE NO ACTION ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX "ix_amount" ON "children" ("amount" DESC, email COLLATE nocase ASC);
CREATE UNIQUE INDEX IF NOT EXISTS ix_some ON children ( LOWER ( email ) ) WHERE (amount>5);
create trigger if not exists touch after update on children begin update "parents" set code = 'A' where id = new.parent; end;
CREATE VIEW rich AS SELECT "id" FROM children WHERE amount > /* a lot */ 100;
CREATE TRIGGER rich_insert INSTEAD OF INSERT ON rich BEGIN SELECT 1; END;
CREATE VIRTUAL TABLE IF NOT EXISTS found USING fts5(text, tokenize='porter');
CREATE TABLE [Ä] (id INTEGER PRIMARY KEY, `odd` REFERENCES 'Ä' ("ID"), [odd key] TEXT);
CREATE TABLE `ä` (id INTEGER PRIMARY KEY, "a-b" INTEGER CHECK ([a-b]>0), a INTEGER, b INTEGER);
CREATE TABLE "states" (
    "state" TEXT DEFAULT "New" CHECK ("STATE" IN ("Open",'Closed')),
    made TEXT AS ([State]||"X"),
    alone TEXT COLLATE BINARY UNIQUE COLLATE "nocase"
);
CREATE INDEX ix_states ON states ("STATE") WHERE "State"<>"Never";
CREATE TRIGGER opened AFTER INSERT ON "states" BEGIN UPDATE "states" SET "state"="Was"; END;
CREATE VIEW opens AS SELECT state FROM "states" WHERE state="Is";
"""


def seen(*scripts: str) -> Snapshot:
    """What a new database says of itself that has had only these."""
    engine = sa.create_engine("sqlite://", poolclass=NullPool)
    with engine.connect() as connection:
        for script in scripts:
            connection.connection.driver_connection.executescript(script)  # type: ignore[union-attr]
        return snapshot(connection, named("sqlite"))


def between(found: Snapshot, wanted: Snapshot) -> tuple[Difference, ...]:
    return compare(found, wanted, known=set(wanted))


WANTED = seen(SCHEMA)


@pytest.mark.parametrize("name", CHANGED)
def test_each_alteration_is_told(name: str) -> None:
    old, new, words = CHANGED[name]
    assert SCHEMA.count(old) == 1, name
    differences = between(seen(SCHEMA.replace(old, new)), WANTED)
    assert any(words in each.text for each in differences), differences
    assert not any(each.harmless for each in differences if each.kind != "order")
    assert all(each.kind and (each.found or each.wanted) for each in differences)


@pytest.mark.parametrize("change", GONE)
def test_each_change_by_a_statement_is_told(change: str) -> None:
    differences = between(seen(SCHEMA, change), WANTED)
    assert any(GONE[change] in each.text for each in differences), differences


def test_the_same_in_other_words_is_the_same() -> None:
    assert seen(SAME).keys() - {"Children"} == WANTED.keys() - {"children"}
    assert between(seen(SAME.replace("Children", "children")), WANTED) == ()


def test_tables_of_virtual_tables_are_not_compared() -> None:
    assert [name for name in WANTED if name.startswith("found")] == ["found"]


def test_a_grammar_that_is_not_known_is_compared_as_text() -> None:
    odd = "CREATE TABLE odd (a INTEGER, a2 INT GENERATED ALWAYS AS (a) VIRTUAL, CHECK (a IN (1, 2))"
    one, other = (seen(f"{odd}{end}") for end in (")", ", UNIQUE (a))"))
    assert between(one, other) != ()
    assert between(one, one) == ()
