"""Silent orders are asked about.

Deploy: before the code.  Locks: none for long.
Reversible: yes; loses questions, links that providers gave, and how far feeds were read.
"""

from pathlib import Path

from alembic import op

from service.migrations.run import run_script

revision = "0004"
down_revision = "0003"

KINDS = (
    "check (subject_kind in ('movement', 'event', 'statement_line', 'statement', 'notice', 'call'))"
)


def upgrade() -> None:
    """Make what the file of the same name says."""
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))


def downgrade() -> None:
    """Take it away again."""
    for statement in (
        "drop table service.pull",
        "drop table service.payment_link",
        "update service.payment_request set link = '' where link is null",
        "alter table service.payment_request alter column link set not null",
        "comment on column service.payment_request.link is null",
        "drop table service.question",
        "delete from service.unmatched where subject_kind = 'payment_request'",
        "alter table service.unmatched drop constraint unmatched_subject_kind_check",
        f"alter table service.unmatched add constraint unmatched_subject_kind_check {KINDS}",
        "alter table service.unmatched drop column due_at",
        "alter table service.unmatched drop column owner",
    ):
        op.execute(statement)
