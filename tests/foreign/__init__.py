"""Projects as other people write them, under the engine and next to it under stock Alembic; each is a folder of its own."""
