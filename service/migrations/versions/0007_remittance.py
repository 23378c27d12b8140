"""Remittance.

Deploy: before the code.  Locks: none.  Reversible: yes, loses it.
"""

from pathlib import Path

from alembic import op

from service.migrations.run import run_script

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make what the file of the same name says."""
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))


def downgrade() -> None:
    """Take it away again."""
    op.execute("select 1")
