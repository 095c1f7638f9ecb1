"""What detectors learn hour by hour.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table of finished hours."""
    op.create_table(
        "rollups",
        sa.Column("detector", sa.Text(), nullable=False),
        sa.Column("hour", sa.Double(), nullable=False),
        sa.Column("signal", sa.Text(), nullable=False),
        sa.Column("doc", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("detector", "hour"),
    )
    op.create_index("rollups_by_hour", "rollups", ["hour"])
