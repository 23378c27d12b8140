"""Refunds, and decisions by two people.

Deploy: before the code.  Locks: service.money_state and service.unmatched, while checks are added.
Reversible: yes, loses it; refused by its own checks once money was given back.
"""

from pathlib import Path

from alembic import op

from service.migrations.run import run_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make what the file of the same name says."""
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))


def downgrade() -> None:
    """Take it away again."""
    for table in ("refund_item", "refund_step", "refund_part", "refund"):
        op.execute(f"drop table service.{table}")
    op.execute("drop table service.decision_vote")
    op.execute("drop table service.decision")
    op.execute("alter table service.money_state drop constraint money_state_whole")
    op.execute("alter table service.money_state drop column refund_vnd, drop column fee_refund_vnd")
    op.execute(
        "alter table service.money_state add constraint money_state_check1 check (allocated_vnd"
        " + suspense_vnd + held_vnd + unexplained_vnd + reversed_vnd + payout_vnd = amount_vnd)"
    )
    op.execute("delete from service.unmatched where subject_kind in ('refund', 'remittance')")
