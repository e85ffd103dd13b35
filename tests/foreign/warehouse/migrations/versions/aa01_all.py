"""Everything that the models have."""

import sqlalchemy as sa
from alembic import op
from warehouse import models

revision = "aa01"
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    op.execute(sa.schema.CreateSchema("audit", if_not_exists=True))
    models.Base.metadata.create_all(op.get_bind())


def downgrade():
    models.Base.metadata.drop_all(bind=op.get_bind())
    op.execute(sa.schema.DropSchema("audit"))
