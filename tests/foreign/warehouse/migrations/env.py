import warehouse.models
from alembic import context
from sqlalchemy import create_engine, pool, text

engine = create_engine(context.config.get_main_option("sqlalchemy.url"), poolclass=pool.NullPool)

with engine.connect() as connection:
    for schema in ("meta", "stock"):
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
    connection.execute(text("SET search_path TO stock, public"))
    connection.commit()
    connection.dialect.default_schema_name = "stock"
    context.configure(
        connection=connection,
        target_metadata=warehouse.models.Base.metadata,
        version_table="schema_version",
        version_table_schema="meta",
        include_schemas=True,
        include_name=lambda name, type_, parents: type_ != "schema" or name in (None, "audit"),
        render_as_batch=True,
    )

    with context.begin_transaction():
        context.run_migrations()
