-- What only the text of a CREATE TABLE says, and reflection leaves out.
CREATE TABLE users (id INTEGER PRIMARY KEY);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice
    email TEXT COLLATE NOCASE CONSTRAINT email_given NOT NULL ON CONFLICT ABORT,
    user_id INTEGER REFERENCES users ON DELETE SET NULL ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED,
    status VARCHAR(10),
    total INTEGER DEFAULT (1 + 1) CHECK (total >= 0),
    place GEOGRAPHY,
    anything,
    CHECK (length(email) > 3),
    CONSTRAINT ck_orders_status CHECK (status <> ''),
    UNIQUE (email, total) ON CONFLICT REPLACE
);
INSERT INTO orders (email, status) VALUES ('ada@example.org', 'open'), ('bob@example.org', 'open');
DELETE FROM orders WHERE id = 2;
