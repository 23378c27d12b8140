"""What a provider may charge, by dated contract, and what that comes to for one payment."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

PPM: Final = 1_000_000
CONTRACTS_MAX: Final = 1_000

Rounding = Literal["half_up", "down", "up"]

ADD = sa.text("""
    insert into service.fee_contract
        (book_id, merchant_id, valid_from, valid_to, rate_ppm, fixed_vnd, minimum_vnd, maximum_vnd,
         rounding, tolerance_vnd, recorded_at)
    values (:book_id, :merchant_id, :valid_from, :valid_to, :rate_ppm, :fixed_vnd, :minimum_vnd,
            :maximum_vnd, :rounding, :tolerance_vnd, :now)
""")

LIST = sa.text("""
    select valid_from, valid_to, rate_ppm, fixed_vnd, minimum_vnd, maximum_vnd, rounding,
           tolerance_vnd
    from service.fee_contract where book_id = :book_id and merchant_id = :merchant_id
    order by valid_from limit :limit
""")


class ContractExists(Exception):
    """The merchant has a contract from this day already; contracts are never changed."""


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """Parts per million of the amount (1.1 % is 11,000) and a fixed part, within bounds, in đồng.

    `tolerance_vnd` is by how much a fee may be off before it is a case: 0 unless the contract
    leaves the rounding open. A contract holds from `valid_from` until the next one begins, or
    through `valid_to`.
    """

    valid_from: date
    valid_to: date | None = None
    rate_ppm: int
    fixed_vnd: int = 0
    minimum_vnd: int = 0
    maximum_vnd: int | None = None
    rounding: Rounding = "half_up"
    tolerance_vnd: int = 0

    def fee_vnd(self, gross_vnd: int) -> int:
        """What the contract charges for a payment of `gross_vnd`, exact to the đồng."""
        whole, rest = divmod(gross_vnd * self.rate_ppm, PPM)
        up = {"half_up": rest * 2 >= PPM, "up": rest > 0, "down": False}[self.rounding]
        fee_vnd = max(whole + up + self.fixed_vnd, self.minimum_vnd)
        return fee_vnd if self.maximum_vnd is None else min(fee_vnd, self.maximum_vnd)


def of_day(contracts: Sequence[Contract], day: date) -> Contract | None:
    """The contract that holds on a day; `contracts` are in order of `valid_from`."""
    begun = [one for one in contracts if one.valid_from <= day]
    if not begun or (begun[-1].valid_to is not None and begun[-1].valid_to < day):
        return None
    return begun[-1]


async def add(
    connection: AsyncConnection, book_id: int, merchant_id: int, contract: Contract, now: datetime
) -> None:
    """Add a contract; raises ContractExists where one begins on that day."""
    row = msgspec.structs.asdict(contract)
    try:
        await connection.execute(
            ADD, row | {"book_id": book_id, "merchant_id": merchant_id, "now": now}
        )
    except IntegrityError as error:
        raise ContractExists from error


async def listing(connection: AsyncConnection, book_id: int, merchant_id: int) -> list[Contract]:
    """A merchant's contracts in order of their beginning."""
    key = {"book_id": book_id, "merchant_id": merchant_id, "limit": CONTRACTS_MAX}
    return [Contract(**row) for row in (await connection.execute(LIST, key)).mappings()]
