"""Reading SQL of SQLite as text."""
