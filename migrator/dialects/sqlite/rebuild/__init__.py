"""Rebuilding a SQLite table without losing any part of it."""
