"""The only thing Alembic has to be told: what the models say. The rest is `migrator`'s."""

from app.models import Base
from migrator import run_env

run_env(Base.metadata)
