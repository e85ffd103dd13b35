"""One question to PostgreSQL's catalogs: every object of the schemas in reach, and all that belongs to each.

Each row is `(part, object, name, words)`. The definitions are PostgreSQL's own (`pg_get_indexdef` and its like), which are canonical.
https://www.postgresql.org/docs/current/catalogs.html
"""

import sqlalchemy as sa

# What an extension brought is the extension's; temporary tables and the engine's own scratch schemas are nobody's.
_REACH = """
WITH reach AS MATERIALIZED (
    SELECT oid, CASE WHEN nspname = current_schema() THEN '' ELSE nspname || '.' END AS prefix FROM pg_namespace
    WHERE nspname = current_schema()
       OR (NOT current_schema() LIKE 'migrator\\_scratch\\_%' AND nspname !~ '^(pg_|migrator_scratch_|information_schema$)')
), members AS MATERIALIZED (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), relations AS MATERIALIZED (
    SELECT c.*, reach.prefix || c.relname AS name FROM pg_class c JOIN reach ON reach.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND c.relpersistence <> 't'
      AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)
), types AS MATERIALIZED (
    SELECT t.*, reach.prefix || t.typname AS name FROM pg_type t JOIN reach ON reach.oid = t.typnamespace
    WHERE t.typtype IN ('d', 'e', 'r')
      AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)
), labels AS MATERIALIZED (
    SELECT enumtypid, string_agg(CASE WHEN enumlabel ~ '[,'']|^$' THEN quote_literal(enumlabel) ELSE enumlabel END,
        ', ' ORDER BY enumsortorder) AS said FROM pg_enum GROUP BY enumtypid
), counting AS MATERIALIZED (
    SELECT s.seqrelid, d.deptype, d.refobjid, d.refobjsubid, s.seqtypid,
        format('START %s INCREMENT %s MINVALUE %s MAXVALUE %s', seqstart, seqincrement, seqmin, seqmax)
        || CASE WHEN seqcycle THEN ' CYCLE' ELSE '' END AS said
    FROM pg_sequence s LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid
        AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
)
"""
_RELATIONS = """
SELECT 'relation', c.name, c.relname::text, ARRAY[
    c.relkind::text, c.relpersistence::text, c.relrowsecurity::text, c.relforcerowsecurity::text,
    CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
    CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END,
    (SELECT string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = c.oid),
    CASE WHEN am.amname <> 'heap' THEN am.amname::text END,
    CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid, true) END,
    CASE WHEN c.relkind = 'v' THEN array_to_string(c.reloptions, ', ') END,
    (SELECT s.srvname || coalesce(' OPTIONS ' || f.ftoptions::text, '')
        FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid),
    CASE WHEN c.relkind IN ('r', 'p') THEN CASE c.relreplident WHEN 'n' THEN 'NOTHING' WHEN 'f' THEN 'FULL' WHEN 'i' THEN
        'USING INDEX ' || coalesce((SELECT r.relname::text FROM pg_index i JOIN pg_class r ON r.oid = i.indexrelid
            WHERE i.indrelid = c.oid AND i.indisreplident), 'that is gone') END END]
FROM relations c LEFT JOIN pg_am am ON am.oid = c.relam AND c.relkind IN ('r', 'p', 'm') WHERE c.relkind <> 'S'
"""
_SEQUENCES = """
SELECT 'sequence', c.name, c.relname::text, ARRAY[format_type(s.seqtypid, NULL), s.said,
    CASE WHEN s.deptype = 'a' THEN s.refobjid::regclass::text || '.' || quote_ident(a.attname) END, c.relpersistence::text]
FROM relations c JOIN counting s ON s.seqrelid = c.oid AND s.deptype IS DISTINCT FROM 'i'
LEFT JOIN pg_attribute a ON a.attrelid = s.refobjid AND a.attnum = s.refobjsubid
"""
# Of an array, the labels of its elements. NOT NULL does not hold while its constraint is NOT VALID (PostgreSQL 18).
_COLUMNS = """
SELECT 'column', c.name, a.attname::text, ARRAY[lpad(a.attnum::text, 5, '0'), format_type(a.atttypid, a.atttypmod), e.said,
    (a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint n WHERE n.conrelid = c.oid AND n.contype = 'n'
        AND n.conkey[1] = a.attnum AND NOT n.convalidated))::text,
    pg_get_expr(d.adbin, d.adrelid), a.attgenerated::text, a.attidentity::text, s.said,
    CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END, n.nspname::text,
    a.attfdwoptions::text, (SELECT 'NO INHERIT' FROM pg_constraint n WHERE n.conrelid = c.oid AND n.contype = 'n'
        AND n.conkey[1] = a.attnum AND n.connoinherit)]
FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN labels e ON e.enumtypid = CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE t.oid END
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN counting s ON s.refobjid = a.attrelid AND s.refobjsubid = a.attnum AND s.deptype = 'i'
WHERE c.relkind IN ('r', 'p', 'f', 'c')
"""
# INSERT into a view has defaults of its own.
_DEFAULTS = """
SELECT 'default', c.name, a.attname::text, ARRAY[pg_get_expr(d.adbin, d.adrelid)]
FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relkind = 'v'
"""
# Whether all partitions have a part of the index; a constraint may have been made of the parent alone.
_PART_OF_INVALID = """EXISTS (SELECT FROM pg_inherits h JOIN pg_index whole ON whole.indexrelid = h.inhparent
    WHERE h.inhrelid = {index} AND NOT whole.indisvalid)"""
# What a partition or a child table has from its parent is read where it can differ from the parent's.
# A foreign key is enforced by triggers, which can be disabled, of one partition too.
_CONSTRAINTS = f"""
SELECT 'constraint', c.name, k.conname::text, ARRAY[k.contype::text, pg_get_constraintdef(k.oid, true),
    CASE WHEN k.contype = 'c' THEN pg_get_expr(k.conbin, k.conrelid, true) END, g.states,
    (SELECT i.indisvalid::text FROM pg_index i WHERE i.indexrelid = k.conindid AND k.contype <> 'f')]
FROM relations c JOIN pg_constraint k ON k.conrelid = c.oid LEFT JOIN LATERAL (
    SELECT string_agg(DISTINCT g.tgenabled::text, '') AS states FROM pg_trigger g WHERE g.tgconstraint = k.oid AND g.tgisinternal
) g ON true
WHERE k.contype IN ('p', 'u', 'f', 'c', 'x') AND (k.conparentid = 0 AND (k.coninhcount = 0 OR k.conislocal)
    OR NOT k.convalidated OR g.states <> 'O' OR {_PART_OF_INVALID.format(index="k.conindid")})
"""
_INDEXES = f"""
SELECT 'index', c.name, r.relname::text, ARRAY[i.indisunique::text, i.indisvalid::text, pg_get_indexdef(i.indexrelid, 0, true)]
FROM relations c JOIN pg_index i ON i.indrelid = c.oid JOIN pg_class r ON r.oid = i.indexrelid
WHERE (NOT r.relispartition OR {_PART_OF_INVALID.format(index="r.oid")})
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
"""
_TRIGGERS = """
SELECT 'trigger', c.name, g.tgname::text, ARRAY[g.tgenabled::text, pg_get_triggerdef(g.oid, true)]
FROM relations c JOIN pg_trigger g ON g.tgrelid = c.oid
WHERE NOT g.tgisinternal AND (g.tgparentid = 0 OR g.tgenabled <> 'O')
  AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_trigger'::regclass AND m.objid = g.oid)
"""
_RULES = """
SELECT 'rule', c.name, w.rulename::text, ARRAY[w.ev_enabled::text, pg_get_ruledef(w.oid, true)]
FROM relations c JOIN pg_rewrite w ON w.ev_class = c.oid WHERE w.rulename <> '_RETURN'
"""
_POLICIES = """
SELECT 'policy', c.name, p.polname::text, ARRAY[p.polpermissive::text, p.polcmd::text,
    (SELECT string_agg(coalesce(quote_ident(r.rolname), 'public'), ', ' ORDER BY r.rolname)
        FROM unnest(p.polroles) AS given LEFT JOIN pg_roles r ON r.oid = given),
    pg_get_expr(p.polqual, p.polrelid, true), pg_get_expr(p.polwithcheck, p.polrelid, true)]
FROM relations c JOIN pg_policy p ON p.polrelid = c.oid
"""
_FUNCTIONS = """
SELECT 'function', reach.prefix || format('%s(%s)', f.proname, pg_get_function_identity_arguments(f.oid)), f.proname::text, ARRAY[
    f.prokind::text, pg_get_function_arguments(f.oid), pg_get_function_result(f.oid), l.lanname::text, f.provolatile::text,
    f.proparallel::text, f.proisstrict::text, f.prosecdef::text, f.proleakproof::text, f.proconfig::text,
    coalesce(pg_get_function_sqlbody(f.oid), f.prosrc), f.probin]
FROM pg_proc f JOIN reach ON reach.oid = f.pronamespace JOIN pg_language l ON l.oid = f.prolang
WHERE f.prokind IN ('f', 'p', 'w')
  AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_proc'::regclass AND m.objid = f.oid)
"""
_TYPES = """
SELECT 'type', 'type ' || t.name, t.typname::text, ARRAY[
    t.typtype::text, e.said, format_type(t.typbasetype, t.typtypmod), t.typnotnull::text, t.typdefault,
    CASE WHEN t.typcollation <> b.typcollation THEN t.typcollation::regcollation::text END,
    (SELECT string_agg(quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid, true), ', ' ORDER BY k.conname)
        FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'),
    (SELECT format_type(r.rngsubtype, NULL) || coalesce(', ' || o.opcname, '')
            || CASE WHEN r.rngcollation <> s.typcollation THEN ', COLLATE ' || r.rngcollation::regcollation ELSE '' END
            || CASE WHEN r.rngcanonical <> 0 THEN ', canonical ' || r.rngcanonical::text ELSE '' END
            || CASE WHEN r.rngsubdiff <> 0 THEN ', subtype_diff ' || r.rngsubdiff::text ELSE '' END
        FROM pg_range r JOIN pg_type s ON s.oid = r.rngsubtype
        LEFT JOIN pg_opclass o ON o.oid = r.rngsubopc AND NOT o.opcdefault WHERE r.rngtypid = t.oid)]
FROM types t LEFT JOIN labels e ON e.enumtypid = t.oid LEFT JOIN pg_type b ON b.oid = t.typbasetype
"""
# Which columns say what it does depends on the server's version.
_COLLATIONS = """
SELECT 'collation', 'collation ' || reach.prefix || l.collname, l.collname::text, ARRAY[
    (to_jsonb(l) - '{oid,collname,collnamespace,collowner,collversion}'::text[])::text]
FROM pg_collation l JOIN reach ON reach.oid = l.collnamespace
WHERE NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_collation'::regclass AND m.objid = l.oid)
"""
_EXTENSIONS = "SELECT 'extension', 'extension ' || extname, extname::text, '{}'::text[] FROM pg_extension WHERE extname <> 'plpgsql'"
ALL = sa.text(
    _REACH
    + " UNION ALL ".join(
        (
            _RELATIONS,
            _SEQUENCES,
            _FUNCTIONS,
            _TYPES,
            _COLLATIONS,
            _EXTENSIONS,
            _COLUMNS,
            _DEFAULTS,
            _CONSTRAINTS,
            _INDEXES,
            _TRIGGERS,
            _RULES,
            _POLICIES,
        )
    )
)
