-- An application's tables as they were made long ago: children that would go, or be cut off, with their parent.
CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR(50) NOT NULL);
CREATE TABLE datasets (
    id INTEGER PRIMARY KEY,
    owner_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    reviewer_id INTEGER REFERENCES users (id) ON DELETE SET NULL
);
INSERT INTO users VALUES (1, 'ada@example.org'), (2, 'bob@example.org');
INSERT INTO datasets VALUES (1, 1, 2), (2, 2, 1), (3, 2, NULL);
