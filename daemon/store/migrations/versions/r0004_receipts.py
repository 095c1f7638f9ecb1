"""What providers call a message, when it was tried last, and when it is looked at again.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add to the table of deliveries. What stood there was never looked at again, and is not now."""
    op.add_column("deliveries", sa.Column("provider_id", sa.Text(), nullable=False, server_default=""))
    op.add_column("deliveries", sa.Column("look_at", sa.Double(), nullable=True))
    op.add_column("deliveries", sa.Column("tried_at", sa.Double(), nullable=True))
    op.create_index("deliveries_by_provider", "deliveries", ["provider_id"])
    op.create_index("deliveries_by_look", "deliveries", ["look_at"])
    op.create_index("deliveries_by_try", "deliveries", ["tried_at"])
