"""What a database says of itself: its schema, letter by letter, so that nothing that a revision made half is overlooked."""

from collections.abc import Collection

from sqlalchemy import Connection, text

from tests.kit import BOOKKEEPING

Catalog = frozenset[tuple[str, ...]]

_SQLITE = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema"
_POSTGRESQL = """
WITH spaces AS (SELECT oid, CASE nspname WHEN 'public' THEN '' ELSE nspname || '.' END AS of FROM pg_namespace
    WHERE nspname = ANY(:schemas)),
ours AS (SELECT c.oid AS id, of || c.relname AS relname, c.relkind, c.relpersistence FROM pg_class c
    JOIN spaces s ON s.oid = c.relnamespace)
SELECT 'relation', relname, relkind::text, relpersistence::text FROM ours
UNION ALL SELECT 'column', o.relname, a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
    a.attidentity::text, a.attgenerated::text, pg_get_expr(d.adbin, d.adrelid))
    FROM ours o JOIN pg_attribute a ON a.attrelid = o.id LEFT JOIN pg_attrdef d ON d.adrelid = o.id AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped
UNION ALL SELECT 'index', o.relname, pg_get_indexdef(i.indexrelid), concat_ws(' ', i.indisvalid, i.indisready, i.indislive)
    FROM ours o JOIN pg_index i ON i.indrelid = o.id
UNION ALL SELECT 'constraint', o.relname, k.conname, concat_ws(' ', pg_get_constraintdef(k.oid), k.convalidated)
    FROM ours o JOIN pg_constraint k ON k.conrelid = o.id
UNION ALL SELECT 'trigger', o.relname, t.tgname, pg_get_triggerdef(t.oid) FROM ours o JOIN pg_trigger t ON t.tgrelid = o.id
    WHERE NOT t.tgisinternal
UNION ALL SELECT 'type', of || t.typname, t.typtype::text, '' FROM pg_type t JOIN spaces s ON s.oid = t.typnamespace
UNION ALL SELECT 'label', of || t.typname, e.enumlabel, e.enumsortorder::text
    FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid JOIN spaces s ON s.oid = t.typnamespace
UNION ALL SELECT 'view', o.relname, pg_get_viewdef(o.id), '' FROM ours o WHERE o.relkind IN ('v', 'm')
UNION ALL SELECT 'function', of || p.proname, pg_get_functiondef(p.oid), ''
    FROM pg_proc p JOIN spaces s ON s.oid = p.pronamespace WHERE p.prokind IN ('f', 'p')
"""


def read_catalog(connection: Connection, schemas: Collection[str] = ("public",)) -> Catalog:
    """Read tables, columns, constraints, indexes, triggers, types, views and functions; the version table and the log are left out.

    Reads only. `schemas` are those of PostgreSQL.
    """
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text(_SQLITE))
    else:
        rows = connection.execute(text(_POSTGRESQL), {"schemas": [*schemas]})
    found = (tuple(map(str, row)) for row in rows)
    return frozenset(row for row in found if not any(name in part for part in row for name in BOOKKEEPING))
