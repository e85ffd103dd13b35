-- A chat agent's SQLite file: its runner executes the files of a folder and writes their names down.
CREATE TABLE IF NOT EXISTS _migrations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    filename TEXT NOT NULL UNIQUE,
    applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);

-- 001_create_conversations.sql
CREATE TABLE IF NOT EXISTS conversations (
    conversation_id TEXT PRIMARY KEY,
    customer_id TEXT,
    session_id TEXT,
    title TEXT NOT NULL DEFAULT 'New conversation',
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    is_active BOOLEAN NOT NULL DEFAULT 1,
    message_count INTEGER NOT NULL DEFAULT 0 CHECK (message_count >= 0)
);
CREATE INDEX IF NOT EXISTS idx_conversations_customer ON conversations(customer_id);
CREATE INDEX IF NOT EXISTS idx_conversations_session ON conversations(session_id) WHERE session_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_conversations_updated ON conversations(updated_at DESC);

-- 002_create_chat_messages.sql
CREATE TABLE IF NOT EXISTS chat_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation_id TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('user', 'assistant', 'system', 'tool')),
    content TEXT NOT NULL,
    sql_query TEXT,
    results JSON,
    created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    FOREIGN KEY (conversation_id) REFERENCES conversations(conversation_id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS idx_messages_conversation ON chat_messages(conversation_id, created_at);
CREATE INDEX IF NOT EXISTS idx_messages_role_lower ON chat_messages(lower(role));
CREATE TRIGGER IF NOT EXISTS count_messages AFTER INSERT ON chat_messages
BEGIN
    UPDATE conversations SET message_count = message_count + 1, updated_at = CURRENT_TIMESTAMP
    WHERE conversation_id = NEW.conversation_id;
END;

-- 003_create_conversation_summaries.sql
CREATE TABLE IF NOT EXISTS conversation_summaries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation_id TEXT NOT NULL UNIQUE,
    summary TEXT NOT NULL,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    FOREIGN KEY (conversation_id) REFERENCES conversations(conversation_id) ON DELETE CASCADE
);

-- 004_add_chart_data.sql
ALTER TABLE chat_messages ADD COLUMN chart_data TEXT;

INSERT INTO _migrations (filename, applied_at) VALUES
    ('001_create_conversations.sql', '2024-03-01 09:00:00'),
    ('002_create_chat_messages.sql', '2024-03-01 09:00:01'),
    ('003_create_conversation_summaries.sql', '2024-05-12 17:30:00'),
    ('004_add_chart_data.sql', '2024-11-02 08:15:42');
INSERT INTO conversations (conversation_id, customer_id, session_id, title) VALUES
    ('c-1', 'cust_42', NULL, 'Umsatz pro Region – Zoë''s'),
    ('c-2', NULL, 'visitor-7', 'New conversation');
INSERT INTO chat_messages (conversation_id, role, content, sql_query, results, chart_data) VALUES
    ('c-1', 'user', 'Which region sells best? 🚀', NULL, NULL, NULL),
    ('c-1', 'assistant', 'The north.', 'SELECT region, sum(amount) FROM sales GROUP BY 1', '[{"region": "north"}]', '{"type": "bar"}'),
    ('c-2', 'user', '', NULL, 'null', NULL);
INSERT INTO conversation_summaries (conversation_id, summary) VALUES ('c-1', 'Sales by region.');
