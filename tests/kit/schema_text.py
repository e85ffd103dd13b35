"""What a database says of itself: its schema, letter by letter, so that nothing that a revision made half is overlooked."""

from sqlalchemy import Connection, text

from tests.kit import BOOKKEEPING

Catalog = frozenset[tuple[str, ...]]

_SQLITE = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema"
_POSTGRESQL = """
WITH ours AS (SELECT c.*, c.oid AS id FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace)
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
UNION ALL SELECT 'type', t.typname, t.typtype::text, '' FROM pg_type t WHERE t.typnamespace = 'public'::regnamespace
"""


def read_catalog(connection: Connection) -> Catalog:
    """Read tables, columns, constraints, indexes, triggers and types; the version table and the log are left out. Reads only."""
    rows = connection.execute(text(_SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL))
    found = (tuple(map(str, row)) for row in rows)
    return frozenset(row for row in found if not any(name in part for part in row for name in BOOKKEEPING))
