-- An agent in TypeScript on PostgreSQL; its runner keeps version, time and description.
CREATE TABLE schema_migrations (
    version INTEGER PRIMARY KEY,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    description TEXT NOT NULL
);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.updated_at = NOW(); RETURN NEW; END $$;

CREATE TABLE users (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    email VARCHAR(255) NOT NULL UNIQUE,
    name TEXT,
    preferences JSONB NOT NULL DEFAULT '{}'::jsonb,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
CREATE UNIQUE INDEX users_email_lower_idx ON users (lower(email));
CREATE TABLE sessions (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    token TEXT NOT NULL UNIQUE,
    ip INET,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX sessions_user_id_idx ON sessions (user_id);
CREATE TABLE documents (
    id BIGSERIAL PRIMARY KEY,
    user_id UUID REFERENCES users(id) ON DELETE SET NULL,
    title VARCHAR(500) NOT NULL,
    tags TEXT[] NOT NULL DEFAULT '{}',
    amount NUMERIC(12, 2) NOT NULL DEFAULT 0 CHECK (amount >= 0),
    body TEXT,
    words INTEGER GENERATED ALWAYS AS (length(body)) STORED,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
CREATE INDEX documents_first_tag_idx ON documents (lower(tags[1])) WHERE amount > 5;
CREATE INDEX documents_tags_idx ON documents USING gin (tags);
CREATE INDEX documents_recent_idx ON documents (user_id, created_at DESC);
CREATE TABLE memories (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    content TEXT NOT NULL,
    importance REAL NOT NULL DEFAULT 0.5 CHECK (importance >= 0 AND importance <= 1),
    metadata JSONB
);
CREATE TABLE conversations (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    title VARCHAR(255),
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
CREATE TABLE conversation_messages (
    id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    conversation_id UUID NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
    role VARCHAR(20) NOT NULL CHECK (role IN ('user', 'assistant', 'system')),
    content TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
CREATE INDEX conversation_messages_conversation_idx ON conversation_messages (conversation_id, created_at);
CREATE TRIGGER conversations_touch BEFORE UPDATE ON conversations FOR EACH ROW EXECUTE FUNCTION touch();

INSERT INTO schema_migrations (version, applied_at, description) VALUES
    (1, '2025-01-10 10:00:00+00', 'users and sessions'),
    (2, '2025-01-10 10:00:02+00', 'documents'),
    (3, '2025-02-20 14:05:00+02', 'memories, conversations');
INSERT INTO users (id, email, name, preferences) VALUES
    ('11111111-1111-4111-8111-111111111111', 'Ada@example.org', 'Ada', '{"theme": "dark"}'),
    ('22222222-2222-4222-8222-222222222222', 'bob@example.org', NULL, '{}');
INSERT INTO sessions (user_id, token, ip, expires_at) VALUES
    ('11111111-1111-4111-8111-111111111111', 't-1', '192.0.2.7', '2030-01-01');
INSERT INTO documents (user_id, title, tags, amount, body) VALUES
    ('11111111-1111-4111-8111-111111111111', 'Quarter', '{Finance,"q 1"}', 12.50, 'Text with 100 % and : colons'),
    (NULL, 'Nobody''s', '{}', 0, NULL);
INSERT INTO memories (user_id, content) VALUES ('22222222-2222-4222-8222-222222222222', 'likes tea');
INSERT INTO conversations (id, user_id, title) VALUES
    ('33333333-3333-4333-8333-333333333333', '11111111-1111-4111-8111-111111111111', 'Hello');
INSERT INTO conversation_messages (conversation_id, role, content) VALUES
    ('33333333-3333-4333-8333-333333333333', 'user', 'Hi'),
    ('33333333-3333-4333-8333-333333333333', 'assistant', 'Hello 👋');
