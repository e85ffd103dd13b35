"""The command line. Importing it, `--help` and a wrong argument load neither Alembic nor SQLAlchemy."""
