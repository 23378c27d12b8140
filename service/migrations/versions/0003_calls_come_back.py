"""Calls that were not believed come back.

Deploy: before the code.  Locks: service.event and service.quarantine against writes, for the time
of building an index.  Reversible: yes, loses it.
"""

from pathlib import Path

from alembic import op

from service.migrations.run import run_script

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make what the file of the same name says."""
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))


def downgrade() -> None:
    """Take it away again."""
    op.execute("alter table service.merchant drop column secrets_since")
    op.execute("drop index service.event_of_order")
    op.execute("drop table service.unknown_order")
    op.execute("drop index service.quarantine_by_age")
    op.execute("alter table service.quarantine drop column tried_at")
