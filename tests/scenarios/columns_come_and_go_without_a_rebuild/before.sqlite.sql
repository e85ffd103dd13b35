CREATE TABLE orders (id INTEGER PRIMARY KEY, email TEXT COLLATE NOCASE, spare TEXT, total INTEGER);
CREATE INDEX ix_orders_lower ON orders (lower(email));
INSERT INTO orders VALUES (1, 'ada@example.org', 'x', 10);
