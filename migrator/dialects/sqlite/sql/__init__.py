"""SQLite's SQL, read as text."""
