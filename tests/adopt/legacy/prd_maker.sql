-- A maker of product requirement documents, written by hand for whichever database is there; no runner.
CREATE TABLE user_sessions (
    session_id VARCHAR(64) PRIMARY KEY,
    user_name VARCHAR(120),
    current_step INTEGER NOT NULL DEFAULT 1,
    state TEXT NOT NULL DEFAULT '{}',
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    last_active TIMESTAMP
);
CREATE TABLE sections (
    id INTEGER NOT NULL,
    session_id VARCHAR(64) NOT NULL,
    name VARCHAR(100) NOT NULL,
    content TEXT,
    version INTEGER NOT NULL DEFAULT 1,
    is_complete BOOLEAN NOT NULL DEFAULT FALSE,
    CONSTRAINT sections_pk PRIMARY KEY (id),
    CONSTRAINT sections_once UNIQUE (session_id, name),
    CONSTRAINT sections_session FOREIGN KEY (session_id) REFERENCES user_sessions (session_id) ON DELETE CASCADE,
    CONSTRAINT sections_version CHECK (version > 0)
);
CREATE TABLE conversation_messages (
    id INTEGER NOT NULL PRIMARY KEY,
    session_id VARCHAR(64) NOT NULL REFERENCES user_sessions (session_id) ON DELETE CASCADE,
    section_id INTEGER REFERENCES sections (id),
    role VARCHAR(20) NOT NULL,
    message TEXT NOT NULL,
    tokens DOUBLE PRECISION,
    sent_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX conversation_messages_by_time ON conversation_messages (session_id, sent_at);
CREATE VIEW open_sections AS SELECT session_id, name FROM sections WHERE NOT is_complete;

INSERT INTO user_sessions (session_id, user_name, current_step, state) VALUES
    ('s-1', 'Łukasz', 3, '{"done": [1, 2]}'), ('s-2', NULL, 1, '{}');
INSERT INTO sections (id, session_id, name, content, version, is_complete) VALUES
    (1, 's-1', 'Goals', 'Fewer clicks.', 4, TRUE), (2, 's-1', 'Risks', NULL, 1, FALSE);
INSERT INTO conversation_messages (id, session_id, section_id, role, message, tokens) VALUES
    (1, 's-1', 1, 'user', 'What is a goal?', 4.5), (2, 's-1', NULL, 'assistant', 'A state of things.', NULL);
