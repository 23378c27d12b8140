"""The debit-credit lines of each outcome, and the counters that move with them.

Chooses accounts by the outcome table and the entries of the chart's page; knows no SQL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from ledger import accounts
from ledger.entries import Entry, Line
from service.payments.effects import Allocation, Effects
from service.payments.outcomes import Decision
from service.payments.sightings import Sighting
from service.payments.state import Item, Movement, Notice, Placed, World


class Dimensions(msgspec.Struct, frozen=True, kw_only=True):
    """What every line of an entry says of its money, and the two dates of the entry."""

    happened_at: datetime
    happened_on: date
    rule: str
    bank_account_id: int | None = None
    merchant: str | None = None


def dimensions(sighting: Sighting) -> Dimensions:
    """The dimensions of an entry that a sighting causes."""
    return Dimensions(
        happened_at=sighting.happened_at,
        happened_on=sighting.happened_on,
        rule=sighting.view,
        bank_account_id=sighting.bank_account_id,
        merchant=sighting.merchant,
    )


def money_account(sighting: Sighting) -> str:
    """Where the money itself stands: only a statement line touches 1121, only cash 1110."""
    if sighting.view == "statement":
        return accounts.BANK
    if sighting.origin == "counter:cash":
        return accounts.CASH
    return accounts.CLEARING


@dataclass(frozen=True, slots=True)
class Booking:
    """One entry in the making: its dimensions, its movement, and what the group writes."""

    entry_id: UUID
    dimensions: Dimensions
    movement: Movement | None
    effects: Effects

    def line(self, debit: str, credit: str, amount_vnd: int, placed: Placed | None = None) -> Line:
        """One line; `placed` says for which notice and item."""
        return Line(
            debit=debit,
            credit=credit,
            amount_vnd=amount_vnd,
            notice_id=placed.notice_id if placed else None,
            item_id=placed.item_id if placed else None,
            budget_subsection=placed.budget_subsection if placed else None,
            movement_id=self.movement.id if self.movement else None,
            bank_account_id=self.dimensions.bank_account_id,
            merchant=self.dimensions.merchant,
        )

    def finish(self, book_id: int, source: str, kind: str, lines: Sequence[Line]) -> None:
        """Hand the entry to the group. Entries of two books share the movement's id."""
        shared = any(line.credit == accounts.DUE_TO_UNITS for line in lines)
        self.effects.entries.append(
            Entry(
                book_id=book_id,
                id=self.entry_id,
                source=source,
                kind=kind,
                happened_at=self.dimensions.happened_at,
                value_date=self.dimensions.happened_on,
                shared_id=self.movement.id if shared and self.movement else None,
                lines=tuple(lines),
            )
        )

    def place(self, movement: Movement, decision: Decision, debit: str) -> list[Line]:
        """Lines from `debit` to where the decision puts the money; moves every counter with them.

        Money of this book for a notice of another goes to 3389 here and comes from 1389 there,
        under one shared id (choice 15 of DESIGN).
        """
        lines: list[Line] = []
        over = self._over(movement, decision)
        if over is not None:
            # Before the notice is told of: its event says what is held, too.
            over.held_vnd += decision.held_vnd
            over.dirty = True
        for notice, amount_vnd in decision.shares:
            lines += self._pay(movement, notice, amount_vnd, debit)
        if decision.held_vnd:
            lines.append(self._hold(movement, decision.held_vnd, over, debit))
        if decision.suspense_vnd:
            movement.suspense_vnd += decision.suspense_vnd
            movement.placed.append(
                Placed(accounts.SUSPENSE, movement.book_id, decision.suspense_vnd)
            )
            lines.append(self.line(debit, accounts.SUSPENSE, decision.suspense_vnd))
        movement.dirty = True
        return lines

    def _pay(self, movement: Movement, notice: Notice, amount_vnd: int, debit: str) -> list[Line]:
        shares = notice.pay(amount_vnd)
        self.effects.tell(notice)
        movement.allocated_vnd += amount_vnd
        on_items = _on_items(notice, shares)
        if notice.book_id == movement.book_id:
            booked_in = self.entry_id
            movement.placed += on_items
            lines = [self.line(debit, p.account, p.amount_vnd, p) for p in on_items]
        else:
            booked_in = self._in_another_book(movement, notice, on_items)
            movement.placed.append(Placed(accounts.DUE_TO_UNITS, movement.book_id, amount_vnd))
            lines = [self.line(debit, accounts.DUE_TO_UNITS, amount_vnd)]
        self.effects.allocations.append(
            Allocation(
                book_id=notice.book_id,
                id=uuid7(),
                notice_id=notice.id,
                movement_book_id=movement.book_id,
                movement_id=movement.id,
                amount_vnd=amount_vnd,
                entry_id=booked_in,
                rule=self.dimensions.rule,
            )
        )
        return lines

    def _in_another_book(
        self, movement: Movement, notice: Notice, on_items: Sequence[Placed]
    ) -> UUID:
        """The other half of money that arrived in one book for a notice of another; its entry."""
        entry_id = uuid7()
        self.effects.entries.append(
            Entry(
                book_id=notice.book_id,
                id=entry_id,
                source=f"movement:{movement.id}:{notice.id}:{notice.version}",
                kind="due_from_unit",
                happened_at=self.dimensions.happened_at,
                value_date=self.dimensions.happened_on,
                shared_id=movement.id,
                lines=tuple(
                    self.line(accounts.DUE_FROM_UNITS, p.account, p.amount_vnd, p) for p in on_items
                ),
            )
        )
        return entry_id

    @staticmethod
    def _over(movement: Movement, decision: Decision) -> Notice | None:
        """The notice that an excess was paid over, where it is one of the money's own book."""
        if not decision.held_vnd or not decision.shares:
            return None
        over = decision.shares[0][0]
        return over if over.book_id == movement.book_id else None

    def _hold(self, movement: Movement, held_vnd: int, over: Notice | None, debit: str) -> Line:
        """What is kept for the payer (3381); an excess names the notice it was paid over."""
        placed = Placed(accounts.OVERPAID, movement.book_id, held_vnd, over.id if over else None)
        movement.held_vnd += held_vnd
        movement.placed.append(placed)
        return self.line(debit, accounts.OVERPAID, held_vnd, placed)

    def give_back(self, original: Movement, money: str, world: World) -> list[Line]:
        """The mirror of where an earlier credit stands: its notices are open again."""
        lines = []
        reopened: dict[UUID, Notice] = {}
        for placed in original.placed:
            lines.append(self.line(placed.account, money, placed.amount_vnd, placed))
            if placed.notice_id is None:
                continue
            notice = world.notices[placed.book_id, placed.notice_id]
            reopened[notice.id] = notice
            if placed.account == accounts.OVERPAID:
                notice.held_vnd -= placed.amount_vnd
            else:
                notice.unpay(placed.item_id, placed.amount_vnd)
        for notice in reopened.values():
            notice.touch()
            self.effects.tell(notice)
        self.effects.undone.append((original.book_id, original.id, self.entry_id))
        self.effects.resolve(original.book_id, original.id, "reversed")
        original.allocated_vnd = original.suspense_vnd = original.held_vnd = 0
        original.reversed_vnd = original.amount_vnd
        original.placed = []
        original.dirty = True
        return lines


def _on_items(notice: Notice, shares: Sequence[tuple[Item, int]]) -> list[Placed]:
    return [
        Placed(
            accounts.FEES_RECEIVABLE,
            notice.book_id,
            amount_vnd,
            notice.id,
            item.id,
            item.budget_subsection,
        )
        for item, amount_vnd in shares
    ]
