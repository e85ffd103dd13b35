"""Histories and projects of other people: the engine arrives where stock Alembic arrives."""
