"""${message}.

Deploy: before or after the code?  Locks: which, how long?  Reversible: yes, losing what?
"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Say what appears."""
    ${upgrades if upgrades else 'op.execute("")'}


def downgrade() -> None:
    """Say what is lost."""
    ${downgrades if downgrades else 'op.execute("")'}
