"""Believable dossiers: what the one-stop system tells of what they owe, with real fees.

Pure: dice in, bodies of `POST /v1/fee-notices` out.
"""

import random
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from typing import Final

import msgspec

from service import reference_data
from service.dev.people import Person, digits, somebody
from service.dev.units import Unit
from service.reference_data import Fee
from service.references import agency_code

DUE_AFTER: Final = timedelta(days=10)
COPIES_MAX: Final = 6
AMOUNT_VND_MAX: Final = 2_000_000
"""Rarer and dearer procedures are left out: one would outweigh a day."""
SEQUENCE_DIGITS: Final = 4
RUNS_TOLD_APART: Final = 90
MORE_OF_THE_SAME_PAYER: Final = 0.04
CHANNELS: Final = ("online", "online", "online", "counter", "post")
FAVOURITE: Final = "3.000333"
"""Criminal records: most of what the justice department takes."""
FAVOURITE_SHARE: Final = 0.55
MORE_COPIES: Final = 0.2


class Dossier(msgspec.Struct, frozen=True, kw_only=True):
    """A dossier: who pays, and the body that records what it owes."""

    unit: Unit
    person: Person
    day: date
    code: str
    amount_vnd: int
    body: Mapping[str, object]


def dossier_code(unit: Unit, day: date, run: int, number: int) -> str:
    """A dossier code that no other run of the demo gives."""
    agency = agency_code.parse(unit.received_by).qcvn102
    prefix = f"{run % RUNS_TOLD_APART + 10}" if run else ""
    return f"{agency}-{day:%y%m%d}-{prefix}{number:0{SEQUENCE_DIGITS}d}"


class Desk:
    """Where dossiers of one unit and day come in, numbered from `first`."""

    def __init__(
        self, dice: random.Random, unit: Unit, day: date, run: int, first: int = 1
    ) -> None:
        """Begin a day; equal dice give equal dossiers."""
        self._dice = dice
        self._unit = unit
        self._day = day
        self._run = run
        self._number = first
        self._before: tuple[Person, str] | None = None

    def next(self, person: Person | None = None) -> Dossier:
        """The next dossier, of `person` or of somebody."""
        dice = self._dice
        payer, subject = self._payer(person)
        channel = dice.choice(CHANNELS)
        fee = self._fee()
        items = [self._item(fee, channel)]
        if fee.procedure_code == FAVOURITE and dice.random() < MORE_COPIES:
            more = next(f for f in choices(self._unit, self._day) if f.rule.startswith("per_unit"))
            items.append(self._item(more, channel))
        code = dossier_code(self._unit, self._day, self._run, self._number)
        self._number += 1
        self._before = (payer, subject)
        agency = self._unit.book.agency_code
        return Dossier(
            unit=self._unit,
            person=payer,
            day=self._day,
            code=code,
            amount_vnd=sum(int(str(item["amount_vnd"])) for item in items),
            body={
                "dossier_code": code,
                "procedure_code": fee.procedure_code,
                "received_by": self._unit.received_by,
                "decided_by": agency,
                "collected_by": agency,
                "channel": channel,
                "items": items,
                "payer": {"name": payer.name, "subject_id": subject},
                "due_on": (self._day + DUE_AFTER).isoformat(),
            },
        )

    def _payer(self, person: Person | None) -> tuple[Person, str]:
        if person is None and self._before and self._dice.random() < MORE_OF_THE_SAME_PAYER:
            return self._before
        return person or somebody(self._dice), f"CD{digits(self._dice, 10)}"

    def _fee(self) -> Fee:
        known = [fee for fee in choices(self._unit, self._day) if fee.component == "1"]
        favourites = [fee for fee in known if fee.procedure_code == FAVOURITE]
        if favourites and self._dice.random() < FAVOURITE_SHARE:
            return favourites[0]
        return self._dice.choice(known)

    def _item(self, fee: Fee, channel: str) -> dict[str, object]:
        count = 1
        if fee.rule.startswith(("per_page_tier", "per_unit")):
            count = self._dice.randint(1, COPIES_MAX)
        amount_vnd = fee.online_vnd if channel == "online" else fee.amount_vnd
        return {
            "code": f"{fee.procedure_code}.{fee.component}",
            "kind": fee.kind,
            "name": fee.name,
            "amount_vnd": amount_vnd * count,
            "budget_subsection": fee.budget_subsection,
            "retained_percent": fee.retained_percent,
        }


@cache
def choices(unit: Unit, day: date) -> tuple[Fee, ...]:
    """The fees of a unit on a day."""
    mine = {
        one.code
        for one in reference_data.procedures()
        if one.sector in unit.sectors and unit.level in one.level.split("|")
    }
    return tuple(
        fee
        for fee in reference_data.fees(day)
        if fee.procedure_code in mine and fee.amount_vnd <= AMOUNT_VND_MAX
    )
