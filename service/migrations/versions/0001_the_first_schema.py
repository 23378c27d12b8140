"""The first schema: books, ledger, fees, intake, statements, reconciliation, outbox, access.

Deploy: before the code.  Locks: none (everything is new).  Reversible: yes, loses everything.
"""

from pathlib import Path

from alembic import op

from service.migrations.run import run_script

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make both schemas, and say who may do what in them."""
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))
    op.execute("grant select on alembic_version to doisoat_app, doisoat_keeper")


def downgrade() -> None:
    """Remove both schemas and all that is in them."""
    op.execute("drop schema service cascade")
    op.execute("drop schema ledger cascade")
