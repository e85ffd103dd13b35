-- Columns that are computed, one when it is read and one when it is written; a strict table where the rowid is another column.
CREATE TABLE orders (
    code TEXT,
    kind TEXT,
    status TEXT,
    net INTEGER,
    gross INTEGER GENERATED ALWAYS AS (net * 2) STORED,
    label TEXT AS (code || '/' || kind),
    PRIMARY KEY (kind DESC, code)
) STRICT, WITHOUT ROWID;
CREATE INDEX ix_orders_label ON orders (label);
INSERT INTO orders (code, kind, status, net) VALUES ('a', 'k', 'open', 10), ('b', 'k', 'open', 20);
