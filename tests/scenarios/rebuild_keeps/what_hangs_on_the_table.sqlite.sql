-- What SQLite drops together with a table, and a view that reads it.
CREATE TABLE orders (id INTEGER PRIMARY KEY, email TEXT, status VARCHAR(10), total INTEGER);
CREATE TABLE audit (what TEXT);
CREATE TRIGGER orders_audit AFTER UPDATE OF status ON orders BEGIN INSERT INTO audit VALUES (NEW.id || NEW.status); END;
CREATE TRIGGER audit_stamps AFTER INSERT ON audit BEGIN UPDATE orders SET total = total + 1; END;
CREATE INDEX ix_orders_lower ON orders (lower(email));
CREATE INDEX ix_orders_open ON orders (total) WHERE status = 'open';
CREATE INDEX ix_orders_newest ON orders (id DESC, status COLLATE NOCASE);
INSERT INTO orders VALUES (1, 'Ada@example.org', 'open', 10), (2, 'bob@example.org', 'closed', 20);
ANALYZE;
