"""Remittance: the split of fees, and their way to the budget.

Deploy: before the code.  Locks: service.money_state, while a check is added.
Reversible: yes, loses it; refused by its own check once money went to the Treasury.
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
    op.execute("alter table service.money_state drop constraint money_state_whole")
    op.execute("alter table service.money_state drop column remitted_vnd")
    op.execute(
        "alter table service.money_state add constraint money_state_whole check (allocated_vnd"
        " + suspense_vnd + held_vnd + unexplained_vnd + reversed_vnd + payout_vnd + refund_vnd"
        " = amount_vnd)"
    )
    for table in ("recognition", "item_split", "remittance_line", "remittance"):
        op.execute(f"drop table service.{table}")
