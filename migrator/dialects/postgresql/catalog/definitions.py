"""The SQL of what Alembic's operations cannot create, from the catalogs: types, functions, views, triggers, policies."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

# Of nobody's extension, and in no schema of the server's or of a scratch place.
_OURS = """
    {oid} NOT IN (SELECT objid FROM pg_depend WHERE deptype = 'e' AND classid = '{catalog}'::regclass)
    AND {schema} IN (SELECT oid FROM pg_namespace WHERE nspname !~ '^(pg_|migrator_scratch_|information_schema$)')
"""
_TABLE = _OURS.format(oid="c.oid", catalog="pg_class", schema="c.relnamespace")
_TYPE = _OURS.format(oid="t.oid", catalog="pg_type", schema="t.typnamespace")
_BEFORE = (
    f"""SELECT format('CREATE DOMAIN %s AS %s', t.oid::regtype, format_type(t.typbasetype, t.typtypmod))
        || coalesce(' DEFAULT ' || t.typdefault, '') || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END
        || coalesce((SELECT string_agg(format(' CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)), '' ORDER BY k.oid)
            FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'), '')
    FROM pg_type t WHERE t.typtype = 'd' AND {_TYPE} ORDER BY t.oid""",
    f"""SELECT format('CREATE TYPE %s AS (%s)', c.reltype::regtype, string_agg(
        format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum))
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
    WHERE c.relkind = 'c' AND {_TABLE} GROUP BY c.oid, c.reltype ORDER BY c.oid""",
    f"""SELECT format('CREATE SEQUENCE %s AS %s INCREMENT %s MINVALUE %s MAXVALUE %s START %s %s', c.oid::regclass,
        format_type(s.seqtypid, NULL), s.seqincrement, s.seqmin, s.seqmax, s.seqstart,
        CASE WHEN s.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END)
    FROM pg_class c JOIN pg_sequence s ON s.seqrelid = c.oid WHERE {_TABLE}
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.refobjsubid > 0
        AND d.deptype IN ('a', 'i')) ORDER BY c.oid""",
    f"""SELECT pg_get_functiondef(f.oid) FROM pg_proc f WHERE f.prokind IN ('f', 'p', 'w')
    AND {_OURS.format(oid="f.oid", catalog="pg_proc", schema="f.pronamespace")} ORDER BY f.oid""",
)
_AFTER = (
    f"""SELECT format('ALTER TABLE %s SET UNLOGGED', c.oid::regclass)
    FROM pg_class c WHERE c.relkind = 'r' AND c.relpersistence = 'u' AND {_TABLE}""",
    f"""SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.oid::regclass, k.conname, pg_get_constraintdef(k.oid))
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE k.contype = 'x' AND k.conparentid = 0 AND {_TABLE} ORDER BY k.oid""",
    f"""SELECT format('CREATE %s %s AS %s', CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW' END,
        c.oid::regclass || coalesce(' WITH (' || array_to_string(c.reloptions, ', ') || ')', ''), pg_get_viewdef(c.oid))
    FROM pg_class c WHERE c.relkind IN ('v', 'm') AND {_TABLE} ORDER BY c.oid""",
    f"""SELECT format('ALTER VIEW %s ALTER %I SET DEFAULT %s', c.oid::regclass, a.attname, pg_get_expr(d.adbin, d.adrelid))
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relkind = 'v' AND {_TABLE} ORDER BY c.oid, a.attnum""",
    f"""SELECT format('ALTER TABLE %s REPLICA IDENTITY %s', c.oid::regclass, CASE c.relreplident WHEN 'f' THEN 'FULL'
        WHEN 'n' THEN 'NOTHING' ELSE format('USING INDEX %I', r.relname) END)
    FROM pg_class c LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisreplident LEFT JOIN pg_class r ON r.oid = i.indexrelid
    WHERE c.relkind IN ('r', 'p') AND (c.relreplident IN ('f', 'n') OR (c.relreplident = 'i' AND r.oid IS NOT NULL))
    AND {_TABLE} ORDER BY c.oid""",
    f"""SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE c.relkind = 'm' AND {_TABLE} ORDER BY i.indexrelid""",
    f"""SELECT pg_get_triggerdef(g.oid) FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
    WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND {_TABLE} ORDER BY g.oid""",
    f"""SELECT pg_get_ruledef(w.oid) FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class
    WHERE w.rulename <> '_RETURN' AND {_TABLE} ORDER BY w.oid""",
    f"""SELECT format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', c.oid::regclass)
    FROM pg_class c WHERE c.relrowsecurity AND {_TABLE}""",
    f"""SELECT format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', c.oid::regclass)
    FROM pg_class c WHERE c.relforcerowsecurity AND {_TABLE}""",
    f"""SELECT format('CREATE POLICY %I ON %s AS %s FOR %s TO %s', p.polname, c.oid::regclass,
        CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
        CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
        (SELECT string_agg(coalesce(quote_ident(r.rolname), 'PUBLIC'), ', ')
            FROM unnest(p.polroles) AS given LEFT JOIN pg_roles r ON r.oid = given))
        || coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
        || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE {_TABLE} ORDER BY p.oid""",
)

# The views on some tables and on each other, and whatever else those views read.
_VIEWS_ON = """
    WITH RECURSIVE uses AS (
        SELECT DISTINCT w.ev_class AS reader, d.refobjid AS used FROM pg_rewrite w
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
        WHERE w.rulename = '_RETURN' AND d.refobjid <> w.ev_class),
    above AS (
        SELECT oid FROM pg_class WHERE relname = ANY(:tables) AND relnamespace = current_schema()::regnamespace
        UNION SELECT reader FROM uses JOIN above ON used = oid),
    needed AS (
        SELECT reader AS oid FROM uses JOIN above ON reader = oid
        UNION SELECT used FROM uses JOIN needed ON reader = needed.oid)
    SELECT c.relname, CASE WHEN c.relkind IN ('v', 'm') THEN format('CREATE %s %s AS %s',
        CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW' END, c.oid::regclass, pg_get_viewdef(c.oid)) END AS sql
    FROM needed JOIN pg_class c USING (oid) WHERE c.relnamespace = current_schema()::regnamespace ORDER BY c.oid
"""


def views_on(connection: Connection, tables: Iterable[str]) -> dict[str, str | None]:
    """Return the SQL of each view that reads these tables, and None for each table that such a view reads. Reads only."""
    found = connection.execute(sa.text(_VIEWS_ON), {"tables": list(tables)})
    return {row.relname: row.sql for row in found}


def before_tables(connection: Connection, metadata: sa.MetaData) -> list[str]:
    """Return the SQL of schemas, types, sequences that no column owns, and functions, whose bodies are not checked until they run."""
    schemas = sorted({table.schema for table in metadata.tables.values() if table.schema})
    first = [*(f'CREATE SCHEMA IF NOT EXISTS "{schema}"' for schema in schemas), *_enums(metadata)]
    *types, functions = (_asked(connection, question) for question in _BEFORE)
    unchecked = ["SET LOCAL check_function_bodies = off"] if functions else []
    return [*first, *(sql for found in types for sql in found), *unchecked, *functions]


def after_tables(connection: Connection, metadata: sa.MetaData) -> list[str]:
    """Return the SQL of views, triggers, rules, policies and EXCLUDE constraints."""
    return [sql for question in _AFTER for sql in _asked(connection, question)]


def _asked(connection: Connection, question: str) -> Sequence[Any]:
    return connection.execute(sa.text(question)).scalars().all()


def _enums(metadata: sa.MetaData) -> Iterator[str]:
    """Yield each ENUM once, whichever columns use it, also as the elements of an array."""
    found: dict[str, str] = {}
    for table in metadata.tables.values():
        for column in table.columns:
            kind = column.type.item_type if isinstance(column.type, sa.ARRAY) else column.type
            if isinstance(kind, sa.Enum) and kind.name:
                name = ".".join(f'"{part}"' for part in (kind.schema, kind.name) if part)
                labels = ", ".join("'" + label.replace("'", "''") + "'" for label in kind.enums)
                found[name] = f"CREATE TYPE {name} AS ENUM ({labels})"
    return iter(found.values())
