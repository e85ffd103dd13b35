"""A SQLite table rebuilt, and kept whole."""
