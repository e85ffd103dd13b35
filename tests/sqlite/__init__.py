"""What is special to SQLite: rebuilds, foreign keys, locks, disk space."""
