"""Bring a unit in from an older system: its book, balances and open notices, as one entry.

Everything stands against 9990, so that what the older system said can be read off one account.
Notices come in with what they still owe; what was paid on them before stays in the older system.
The same file again changes nothing; another file for an opened book is refused.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, TypeAlias
from uuid import UUID

import msgspec
import sqlalchemy as sa
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger import accounts
from ledger.accounts import Book, business_day, open_book
from ledger.entries import Entry, Line
from ledger.posting import LINES_PER_ENTRY_MAX, post
from ledger.reading import read_entries
from service import outbox
from service.fees import actions, codes
from service.fees.messages import Call, NewFeeNotice
from service.payments import assessments
from service.payments.assessments import NewItem
from service.payments.effects import notice_news
from service.payments.state import Notice
from service.references import payment_reference
from service.sealing import Sealer

NAMESPACE: Final = UUID("5b0d9d0a-3f1e-5c57-9a0e-6f4c1c2f8a11")
SOURCE: Final = "opening"
NOTICES_MAX: Final = 10_000
FILE_SIZE_MAX_BYTES: Final = 50_000_000

ITEM_BY_ITEM: Final = frozenset(
    {
        accounts.CLEARING,
        accounts.OUTGOING_UNEXPLAINED,
        accounts.FEES_RECEIVABLE,
        accounts.PROVIDER_RECEIVABLE,
        accounts.DUE_FROM_UNITS,
        accounts.SUSPENSE,
        accounts.OVERPAID,
        accounts.REFUND_PAYABLE,
        accounts.DUE_TO_UNITS,
        accounts.OPENING,
    }
)
"""Each of these is the sum of items we hold (invariant 12): a bare balance would tie to none."""

BOOK = sa.text("select code, agency_code from ledger.book where book_id = :book_id")

ADD_ACCOUNT = sa.text("""
    insert into service.bank_account (book_id, bin, number, holder_name, opened_at)
    values (:book_id, :bin, :number, :holder_name, :now)
    on conflict (bin, number) do nothing
""")
ACCOUNT = sa.text("""
    select id from service.bank_account
    where book_id = :book_id and bin = :bin and number = :number
""")
MOVED = sa.text("""
    select exists (
        select from ledger.line
        where book_id = :book_id and '1121' in (debit, credit)
          and bank_account_id = any(cast(:accounts as integer[])))
""")
OPENED = sa.text("select id from ledger.entry where book_id = :book_id and source = :source")

ADD_REQUEST = sa.text("""
    insert into service.payment_request (book_id, reference, numeric_reference, scheme, provider,
        amount_vnd, link, created_at)
    values (:book_id, :reference, :numeric_reference, :scheme, 'opening', :amount_vnd, '', :now)
""")
ADD_REQUEST_NOTICE = sa.text("""
    insert into service.payment_request_notice
        (book_id, reference, notice_id, position, amount_vnd)
    values (:book_id, :reference, :notice_id, 1, :amount_vnd)
""")

BalanceVnd: TypeAlias = Annotated[int, Meta(ge=1, le=10**15)]


class OpeningRefused(ValueError):
    """A file that cannot be brought in; the message says what to mend."""


class OpeningBook(Call, frozen=True, kw_only=True):
    """The book to be opened, or one that was opened with these words before."""

    book_id: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    code: Annotated[str, Meta(pattern=r"^[0-9A-HJKMNP-TV-Z]{2}$")]
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    agency_code: str


class OpeningAccount(Call, frozen=True, kw_only=True):
    """A bank account of the unit with what the bank says stands on it."""

    bin: Annotated[str, Meta(pattern=r"^[0-9]{6}$")]
    number: Annotated[str, Meta(pattern=r"^[0-9A-Za-z]{1,34}$")]
    holder_name: Annotated[str, Meta(min_length=1, max_length=200)]
    balance_vnd: Annotated[int, Meta(ge=0, le=10**15)] = 0


class OpeningBalance(Call, frozen=True, kw_only=True):
    """What stands on an account, on its normal side."""

    account: Annotated[str, Meta(pattern=r"^[0-9]{4}$")]
    amount_vnd: BalanceVnd


class OpeningNotice(Call, frozen=True, kw_only=True):
    """A notice with what it still owes, and the references the older system gave out for it."""

    notice: NewFeeNotice
    references: tuple[str, ...] = ()


class Opening(Call, frozen=True, kw_only=True):
    """The whole file."""

    book: OpeningBook
    opened_at: Annotated[datetime, Meta(tz=True)]
    bank_accounts: tuple[OpeningAccount, ...] = ()
    balances: tuple[OpeningBalance, ...] = ()
    notices: Annotated[tuple[OpeningNotice, ...], Meta(max_length=NOTICES_MAX)] = ()


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """What was brought in; `new` is false where it had been before."""

    new: bool
    notices: int
    owed_vnd: int
    lines: int


def read(body: bytes) -> Opening:
    """Read a file; raises OpeningRefused, naming the field."""
    if len(body) > FILE_SIZE_MAX_BYTES:
        raise OpeningRefused(f"the file is larger than {FILE_SIZE_MAX_BYTES} bytes")
    try:
        return msgspec.json.decode(body, type=Opening)
    except msgspec.MsgspecError as error:
        raise OpeningRefused(str(error)) from None


async def bring_in(
    connection: AsyncConnection, sealer: Sealer, opening: Opening, now: datetime
) -> Opened:
    """Open the book and post what stands in the file, in the caller's transaction.

    Raises OpeningRefused, and InvalidRequest for codes of a notice that cannot be read.
    """
    book_id = opening.book.book_id
    await _open(connection, opening)
    lines = list(await _balance_lines(connection, opening))
    notices = [
        (_notice(opening, position, one), _items(opening, position, one))
        for position, one in enumerate(opening.notices)
    ]
    for notice, items in notices:
        lines += _notice_lines(notice, items)
    if len(lines) > LINES_PER_ENTRY_MAX:
        raise OpeningRefused(f"{len(lines)} lines; one entry holds {LINES_PER_ENTRY_MAX}")
    owed_vnd = sum(item.amount_vnd for _, items in notices for item in items)
    told = Opened(new=True, notices=len(notices), owed_vnd=owed_vnd, lines=len(lines))
    entry_id = await connection.scalar(OPENED, {"book_id": book_id, "source": SOURCE})
    if entry_id is not None:
        before = (await read_entries(connection, book_id, [entry_id]))[entry_id]
        if before.entry.lines != tuple(lines):
            raise OpeningRefused("this book was opened before, with another file")
        return msgspec.structs.replace(told, new=False)
    if not lines:
        return told  # a unit that starts with nothing: its book is open, and nothing is owed
    banks = [line.bank_account_id for line in lines if line.bank_account_id is not None]
    if await connection.scalar(MOVED, {"book_id": book_id, "accounts": banks}):
        raise OpeningRefused("statements of a bank account were imported before its opening")
    today = business_day(now)
    for (notice, items), one in zip(notices, opening.notices, strict=True):
        resolved = await codes.resolve(connection, one.notice, today)
        if resolved.book_id != book_id:
            raise OpeningRefused(f"{one.notice.dossier_code} is collected by another book")
        await actions.add_notice(
            connection, sealer, (notice, resolved, one.notice), now, opening=True
        )
        await _references(connection, notice, items, one.references, now)
        notice.dossier_code = resolved.dossier_code
    await assessments.assess_rows(connection, notices, now)
    entry = Entry(
        book_id=book_id,
        source=SOURCE,
        kind="book_opened",
        happened_at=opening.opened_at,
        value_date=business_day(opening.opened_at),
        lines=tuple(lines),
    )
    await post(connection, [entry])
    news = [notice_news(notice, "fee_notice.recorded") for notice, _ in notices]
    await outbox.write(connection, news, now)
    return told


async def _open(connection: AsyncConnection, opening: Opening) -> None:
    """The book with its chart, and its bank accounts."""
    wanted = opening.book
    known = (await connection.execute(BOOK, {"book_id": wanted.book_id})).one_or_none()
    if known is None:
        book = Book(
            book_id=wanted.book_id,
            code=wanted.code,
            name=wanted.name,
            agency_code=wanted.agency_code,
        )
        await open_book(connection, book, opening.opened_at)
    elif known.code != wanted.code:
        raise OpeningRefused(f"book {wanted.book_id} has the code {known.code}, not {wanted.code}")
    for account in opening.bank_accounts:
        row = {
            "book_id": wanted.book_id,
            "bin": account.bin,
            "number": account.number,
            "holder_name": account.holder_name,
            "now": opening.opened_at,
        }
        await connection.execute(ADD_ACCOUNT, row)


async def _balance_lines(connection: AsyncConnection, opening: Opening) -> Sequence[Line]:
    """Bank accounts and other balances against 9990."""
    lines = []
    for account in opening.bank_accounts:
        key = {"book_id": opening.book.book_id, "bin": account.bin, "number": account.number}
        account_id = await connection.scalar(ACCOUNT, key)
        if account_id is None:
            raise OpeningRefused("a bank account of the file belongs to another book")
        if account.balance_vnd:
            lines.append(_line(accounts.BANK, account.balance_vnd, bank_account_id=int(account_id)))
    for balance in opening.balances:
        if balance.account in ITEM_BY_ITEM or balance.account == accounts.BANK:
            where = "bank_accounts" if balance.account == accounts.BANK else "single items"
            raise OpeningRefused(
                f"{balance.account} cannot be a bare balance: it stands as {where}"
            )
        if balance.account not in accounts.NORMAL_SIDE:
            raise OpeningRefused(f"there is no account {balance.account}")
        lines.append(_line(balance.account, balance.amount_vnd))
    return lines


def _line(account: str, amount_vnd: int, bank_account_id: int | None = None) -> Line:
    """A balance on an account's normal side, against 9990."""
    debit, credit = account, accounts.OPENING
    if accounts.NORMAL_SIDE[account] == "credit":
        debit, credit = credit, debit
    return Line(debit=debit, credit=credit, amount_vnd=amount_vnd, bank_account_id=bank_account_id)


def _notice(opening: Opening, position: int, one: OpeningNotice) -> Notice:
    """A new notice whose id follows from the file, so that the same file makes the same one."""
    return actions.new_notice(opening.book.book_id, _id(opening, position), one.notice.dossier_code)


def _items(opening: Opening, position: int, one: OpeningNotice) -> list[NewItem]:
    made = actions.new_items(one.notice.items)
    return [
        msgspec.structs.replace(item, id=_id(opening, position, number))
        for number, item in enumerate(made)
    ]


def _id(opening: Opening, *path: int) -> UUID:
    return uuid.uuid5(NAMESPACE, f"{opening.book.code}:{':'.join(map(str, path))}")


def _notice_lines(notice: Notice, items: Sequence[NewItem]) -> list[Line]:
    """What is still owed: Dr 1383 / Cr 9990, and the fee it stands for: Dr 9990 / Cr 3373."""
    return [
        Line(
            debit=debit,
            credit=credit,
            amount_vnd=item.amount_vnd,
            notice_id=notice.id,
            item_id=item.id,
            budget_subsection=item.budget_subsection,
        )
        for item in items
        if item.amount_vnd
        for debit, credit in (
            (accounts.FEES_RECEIVABLE, accounts.OPENING),
            (accounts.OPENING, accounts.FEES_HELD),
        )
    ]


async def _references(
    connection: AsyncConnection,
    notice: Notice,
    items: Sequence[NewItem],
    references: Sequence[str],
    now: datetime,
) -> None:
    """References of the older system still lead to the notice."""
    amount_vnd = sum(item.amount_vnd for item in items)
    for text in references:
        found = payment_reference.parse(text)
        if found is None or not amount_vnd:
            raise OpeningRefused(
                f"{text} is no payment reference, or of a notice that owes nothing"
            )
        key = {"book_id": notice.book_id, "reference": found.text, "amount_vnd": amount_vnd}
        request = {
            "numeric_reference": payment_reference.numeric(found.text),
            "scheme": found.prefix,
            "now": now,
        }
        await connection.execute(ADD_REQUEST, key | request)
        await connection.execute(ADD_REQUEST_NOTICE, key | {"notice_id": notice.id})
