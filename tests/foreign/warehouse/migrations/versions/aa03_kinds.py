"""A movement has a kind; items have another unit."""

import sqlalchemy as sa
from alembic import op
from warehouse import models

revision = "aa03"
down_revision = "aa02"
branch_labels = None
depends_on = None


Session = sa.orm.sessionmaker()


def upgrade():
    with op.get_context().autocommit_block():
        op.execute("ALTER TYPE unit ADD VALUE IF NOT EXISTS 'litre' AFTER 'kilogram'")
    session = Session(bind=op.get_bind())
    for item in session.scalars(sa.select(models.Item).order_by(models.Item.id)):
        item.labels = [*item.labels, item.unit.value]
    session.commit()
    with op.batch_alter_table("movements", schema="audit") as batch_op:
        batch_op.alter_column("quantity", existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=False)
        batch_op.create_check_constraint("moves", "quantity <> 0")
    op.execute("UPDATE items SET unit = 'litre' WHERE 'fluid' = ANY (labels)")


def downgrade():
    with op.batch_alter_table("movements", schema="audit") as batch_op:
        batch_op.drop_constraint("moves", type_="check")
        batch_op.alter_column("quantity", existing_type=sa.BigInteger(), type_=sa.Integer(), existing_nullable=False)
    op.execute("UPDATE items SET unit = 'kilogram' WHERE unit = 'litre'")
    op.execute("ALTER TYPE unit RENAME TO unit_old")
    sa.Enum(models.Unit, name="unit").create(op.get_bind())
    op.execute("ALTER TABLE items ALTER unit DROP DEFAULT")
    op.execute("ALTER TABLE items ALTER unit TYPE unit USING unit::text::unit")
    op.execute("ALTER TABLE items ALTER unit SET DEFAULT 'piece'")
    op.execute("DROP TYPE unit_old")
