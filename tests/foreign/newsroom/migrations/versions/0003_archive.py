"""Stories from an archive, through the driver's own cursor."""

import io

from alembic import op

revision = "0003"
down_revision = "0002"

ARCHIVE = [(10, 1, "Storm\tat sea", 900), (11, 2, "Élections; again", None), (12, 1, "back\\slash", 12)]


def upgrade():
    driver = op.get_bind().connection
    with_copy = op.get_bind().dialect.name == "postgresql"
    cursor = driver.cursor()
    try:
        if with_copy:
            cursor.execute("CREATE TEMPORARY TABLE incoming (LIKE stories) ON COMMIT DROP")
            lines = "".join(
                "\t".join("\\N" if v is None else str(v).replace("\\", "\\\\").replace("\t", "\\t") for v in row) + "\n"
                for row in ARCHIVE
            )
            cursor.copy_expert("COPY incoming FROM STDIN", io.StringIO(lines))
            cursor.execute("INSERT INTO stories SELECT * FROM incoming ORDER BY id")
            assert cursor.rowcount == len(ARCHIVE)
        else:
            cursor.executemany("INSERT INTO stories VALUES (?, ?, ?, ?)", ARCHIVE)
    finally:
        cursor.close()


def downgrade():
    op.get_bind().exec_driver_sql("DELETE FROM stories WHERE id BETWEEN 10 AND 12")
