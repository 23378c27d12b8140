"""Notices and movements for tests of matching, with everything unusual left to the test."""

from datetime import date, timedelta
from uuid import UUID

import msgspec

from service.matching.model import Codes, Item, Money, State
from service.references.memo import DossierToken
from service.references.payment_reference import mint

DAY = date(2026, 3, 2)
OURS = "0531000000001"
OTHERS = "0531000000002"
KEYS = [f"0000015H57260301{number:04d}" for number in range(1, 9)]
REFERENCES = [mint("00", bytes([number] * 5)) for number in range(1, 9)]


def notice(
    number: int,
    open_vnd: int = 100_000,
    *,
    amount_vnd: int | None = None,
    state: State = "open",
    key: str | None = None,
    references: tuple[str, ...] | None = None,
    group: str | None = None,
    names: tuple[str, ...] = (),
) -> Item:
    """The notice of dossier `number`, by default open with its own reference."""
    return Item(
        id=UUID(int=number),
        dossier_key=KEYS[number - 1] if key is None else key,
        references=(REFERENCES[number - 1],) if references is None else references,
        amount_vnd=open_vnd if amount_vnd is None else amount_vnd,
        open_vnd=open_vnd,
        state=state,
        own_accounts=(OURS,),
        created_on=DAY - timedelta(days=1),
        sibling_group=group,
        name_keys=names,
    )


def paid(number: int, amount_vnd: int = 100_000) -> Item:
    """A notice that was paid whole."""
    return notice(number, 0, amount_vnd=amount_vnd, state="paid")


def token(key: str, kind: str = "whole") -> DossierToken:
    """A code found in a memo."""
    return msgspec.convert({"kind": kind, "keys": (key,)}, DossierToken)


def credit(
    number: int,
    amount_vnd: int = 100_000,
    *,
    references: tuple[str, ...] = (),
    codes: tuple[DossierToken, ...] = (),
    damaged: tuple[str, ...] = (),
    account: str = OURS,
    names: tuple[str, ...] = (),
) -> Money:
    """Money that came in with what its memo says."""
    return Money(
        id=UUID(int=1000 + number),
        amount_vnd=amount_vnd,
        direction="in",
        happened_on=DAY,
        account=account,
        evidence=Codes(references=references, dossier_codes=codes, damaged_references=damaged),
        name_keys=names,
    )


def by_reference(number: int, amount_vnd: int = 100_000, *, of: int = 1) -> Money:
    """Money that names the reference of notice `of`."""
    return credit(number, amount_vnd, references=(REFERENCES[of - 1],))


def by_code(number: int, amount_vnd: int = 100_000, *, of: int = 1) -> Money:
    """Money that names the whole dossier code of notice `of`."""
    return credit(number, amount_vnd, codes=(token(KEYS[of - 1]),))
