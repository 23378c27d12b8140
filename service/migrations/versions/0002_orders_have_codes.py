"""Orders bear the name that their provider knows, and events what their number is unique within.

Deploy: before the code.  Locks: service.event, while its unique index is built.
Reversible: yes, loses both.
"""

from pathlib import Path

from alembic import op

from service.migrations.run import run_script

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make what the file of the same name says."""
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))


def downgrade() -> None:
    """Take it away again."""
    op.execute("drop index service.payment_request_by_order_code")
    op.execute("alter table service.payment_request drop column order_code")
    op.execute(
        "alter table service.event drop constraint "
        "event_book_id_merchant_id_scope_provider_txn_status_amount__key"
    )
    op.execute("alter table service.event drop column scope")
    op.execute(
        "alter table service.event add unique "
        "(book_id, merchant_id, provider_txn, status, amount_key)"
    )
