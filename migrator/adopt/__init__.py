"""Databases that were there before the history."""
