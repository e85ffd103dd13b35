import logging
from logging.config import fileConfig

from alembic import context
from greenhouse_models import Base
from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool

config = context.config
fileConfig(config.config_file_name)
logger = logging.getLogger("alembic.env")

engine = create_engine(config.get_main_option("sqlalchemy.url"), poolclass=NullPool)

if engine.dialect.name == "sqlite":

    @event.listens_for(engine, "connect")
    def do_connect(dbapi_connection, connection_record):
        dbapi_connection.isolation_level = None
        dbapi_connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def do_begin(connection):
        connection.exec_driver_sql("BEGIN")


def include_object(obj, name, type_, reflected, compare_to):
    return not (type_ == "table" and name.startswith("legacy_"))


def include_name(name, type_, parent_names):
    return name != "spatial_ref_sys"


def process_revision_directives(context, revision, directives):
    if getattr(config.cmd_opts, "autogenerate", False) and directives[0].upgrade_ops.is_empty():
        directives[:] = []
        logger.info("No changes in schema detected.")


def compare_type(context, inspected_column, metadata_column, inspected_type, metadata_type):
    return False if str(inspected_type) == "JSON" else None


def compare_server_default(context, inspected_column, metadata_column, *defaults):
    return False if metadata_column.name == "climate" else None


def announce(ctx, step, heads, run_args):
    logger.info("now at %s", ", ".join(heads) or "base")


options = {
    "target_metadata": Base.metadata,
    "include_object": include_object,
    "include_name": include_name,
    "process_revision_directives": process_revision_directives,
    "compare_type": compare_type,
    "compare_server_default": compare_server_default,
    "render_as_batch": True,
    "transaction_per_migration": True,
    "on_version_apply": announce,
}

with engine.connect() as connection:
    context.configure(connection=connection, **options)

    with context.begin_transaction():
        context.run_migrations()
