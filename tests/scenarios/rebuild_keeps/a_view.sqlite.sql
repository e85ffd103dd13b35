-- A view on the table, and another on that view.
CREATE TABLE orders (id INTEGER PRIMARY KEY, email TEXT, status VARCHAR(10), total INTEGER);
CREATE VIEW open_orders AS SELECT id, "email" FROM orders WHERE status = 'open';
CREATE VIEW open_count AS SELECT count(*) AS n FROM open_orders;
INSERT INTO orders VALUES (1, 'Ada@example.org', 'open', 10), (2, 'bob@example.org', 'closed', 20);
