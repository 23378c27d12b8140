"""Settlement files: their lines and batches, fee contracts, and what was paid out.

Deploy: before the code.  Locks: service.money_state and service.unmatched, while their checks are
tried on every row.  Reversible: yes, loses it; refuses while a bank credit counts as a payout.
"""

from pathlib import Path

from alembic import op

from service.migrations.run import run_script

revision = "0005"
down_revision = "0004"

TABLES = (
    "payout_match",
    "settlement_line",
    "settlement_batch",
    "settlement_chunk",
    "settlement",
    "fee_contract",
)


def upgrade() -> None:
    """Make what the file of the same name says."""
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))


def downgrade() -> None:
    """Take it away again."""
    op.execute("alter table service.unmatched drop constraint unmatched_subject_kind_check")
    op.execute("delete from service.unmatched where subject_kind like 'settlement%'")
    op.execute(
        "alter table service.unmatched add constraint unmatched_subject_kind_check"
        " check (subject_kind in ('movement', 'event', 'statement_line', 'statement', 'notice',"
        " 'call'))"
    )
    op.execute("alter table service.money_state drop constraint money_state_check1")
    op.execute("alter table service.money_state drop constraint money_state_check")
    op.execute(
        "alter table service.money_state add constraint money_state_check"
        " check (allocated_vnd >= 0 and suspense_vnd >= 0 and held_vnd >= 0"
        " and unexplained_vnd >= 0 and reversed_vnd >= 0)"
    )
    op.execute(
        "alter table service.money_state add constraint money_state_check1"
        " check (allocated_vnd + suspense_vnd + held_vnd + unexplained_vnd + reversed_vnd"
        " = amount_vnd)"
    )
    op.execute("alter table service.money_state drop column payout_vnd")
    for table in TABLES:
        op.execute(f"drop table service.{table}")
