"""Find the notices that a block of money may be for: by look-up in indexes, each one bounded.

Finds candidates only; service.matching judges them. What bears a whole reference or code is found
completely, since uniqueness is counted among it; weaker evidence up to its limits.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.accounts import business_day
from service.matching.model import Item, Money, State
from service.reconciliation.groups import Groups
from service.references import agency_code, payment_reference
from service.references.errors import UnreadableCode
from service.statements.lines import instant

Key: TypeAlias = tuple[int, UUID]

NEAR_MAX: Final = 50
OF_A_DAY_MAX: Final = 300
"""Dossiers of one agency and day among which a mistyped number is looked for."""
SAME_AMOUNT_MAX: Final = 500
"""The newest open notices of one amount among which names are compared."""
BY_AMOUNT_MAX: Final = 10
SIBLINGS_MAX: Final = 50
WINDOW: Final = timedelta(days=60)
TAIL: Final = 10
"""Date and a running number of four digits end a dossier's key."""
NUMBER: Final = 4
REFERENCE_HEAD: Final = 8
LAST: Final = "ZZZZZZZZZZZZZZZZ"
"""Behind every text of digits and capitals with the same beginning, in any collation."""

ACCOUNTS = sa.text("select id, book_id, bin, number from service.bank_account")
AGENCIES = sa.text("select code from service.agency union select legacy_code from service.agency")

BY_REFERENCE = sa.text("""
    select told.reference, asked.book_id, asked.notice_id, request.expires_at
    from unnest(cast(:references as text[])) as told (reference)
    left join ledger.book as named
      on told.reference like 'HUE%' and named.code = substr(told.reference, 4, 2)
    join service.payment_request as request
      on request.book_id = coalesce(named.book_id, :book_id)
     and request.reference = told.reference
    join service.payment_request_notice as asked
      on asked.book_id = request.book_id and asked.reference = request.reference
""")

BY_KEY = sa.text("""
    select notice.dossier_key, notice.book_id, notice.id as notice_id
    from unnest(cast(:keys as text[])) as told (key)
    join service.notice as notice
      on notice.book_id = any(cast(:books as integer[])) and notice.dossier_key = told.key
""")

OTHER_BOOKS = sa.text("select book_id from ledger.book where book_id <> :book_id")

BY_BEGINNING = sa.text("""
    select near.id as notice_id
    from unnest(cast(:starts as text[]), cast(:limits as integer[])) as told (start, most)
    cross join lateral (
        select notice.id from service.notice as notice
        where notice.book_id = :book_id and notice.dossier_key >= told.start
          and notice.dossier_key < told.start || :last
        order by notice.dossier_key limit told.most
    ) as near
""")

BY_DAMAGED = sa.text("""
    select asked.notice_id
    from (
        select near.reference
        from unnest(cast(:starts as text[])) as told (start)
        cross join lateral (
            select request.reference from service.payment_request as request
            where request.book_id = :book_id and request.reference >= told.start
              and request.reference < told.start || :last
            order by request.reference limit :limit
        ) as near
        union
        select request.reference
        from unnest(cast(:exact as text[])) as told (reference)
        join service.payment_request as request
          on request.book_id = :book_id and request.reference = told.reference
    ) as near
    join service.payment_request_notice as asked
      on asked.book_id = :book_id and asked.reference = near.reference
""")

# The newest open notices of the amounts in question since a day, once for the block; of them, for
# each movement, those that share most name words, and the newest.
BY_AMOUNT = sa.text("""
    with told as (
        select id, amount_vnd
        from unnest(cast(:ids as uuid[]), cast(:wanted as bigint[])) as told (id, amount_vnd)
    ), ranked as (
        select outstanding_vnd, notice_id,
               row_number() over (partition by outstanding_vnd order by notice_id desc) as nth
        from service.notice_state
        where book_id = :book_id and status in ('open', 'partially_paid')
          and notice_id >= :first and outstanding_vnd = any(cast(:amounts as bigint[]))
    ), near as materialized (
        select near.outstanding_vnd, near.notice_id, near.nth, notice.name_keys
        from ranked as near
        cross join lateral (  -- by the key: few of very many
            select name_keys from service.notice
            where notice.book_id = :book_id and notice.id = near.notice_id offset 0
        ) as notice
        where near.nth <= :same_amount
    ), named as (
        select told.id, near.notice_id, count(*) as shared
        from told
        join service.token as token
          on token.book_id = :book_id and token.movement_id = told.id and token.kind = 'name'
        join (select near.outstanding_vnd, near.notice_id, encode(word.key, 'hex') as value
              from near cross join lateral unnest(near.name_keys) as word (key)) as near
          on near.value = token.value and near.outstanding_vnd = told.amount_vnd
        group by told.id, near.notice_id
    ), best as (
        select notice_id,
               row_number() over (partition by id order by shared desc, notice_id desc) as nth
        from named
    )
    select notice_id from best where nth <= :by_amount
    union
    select notice_id from near where nth <= :by_amount
""")

SIBLINGS = sa.text("""
    with asked as (
        select notice.id, notice.dossier_key, notice.payer_key
        from unnest(cast(:ids as uuid[])) as told (id)
        join service.notice as notice on notice.book_id = :book_id and notice.id = told.id
    )
    select near.id as notice_id from asked cross join lateral (
        select notice.id from service.notice as notice
        where notice.book_id = :book_id and notice.dossier_key = asked.dossier_key
        order by notice.id limit :limit
    ) as near
    union
    select near.id from asked cross join lateral (
        select notice.id from service.notice as notice
        where notice.book_id = :book_id and notice.payer_key = asked.payer_key
        order by notice.id limit :limit
    ) as near
""")

ITEMS = sa.text("""
    select notice.book_id, notice.id, notice.dossier_key, notice.payer_key, notice.name_keys,
           notice.created_at, state.status, state.outstanding_vnd,
           state.amount_vnd - state.exempted_vnd - state.written_off_vnd as owed_vnd,
           array(select asked.reference from service.payment_request_notice as asked
                 where asked.book_id = notice.book_id and asked.notice_id = notice.id
                 order by asked.reference) as references
    from unnest(cast(:books as integer[]), cast(:ids as uuid[])) as told (book_id, id)
    join service.notice as notice on notice.book_id = told.book_id and notice.id = told.id
    join service.notice_state as state
      on state.book_id = told.book_id and state.notice_id = told.id
    order by notice.book_id, notice.id
""")


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """What a whole run needs to know once: accounts by origin, books' accounts, agencies."""

    labels: Mapping[str, str]
    """`account:7` to bank and number, as people are shown it."""
    of_book: Mapping[int, tuple[str, ...]]
    heads: tuple[str, ...]
    """How the dossier keys of each known agency begin."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The items of a block, and when the ways to pay that it names end."""

    items: list[Item]
    expiries: dict[str, datetime]


async def places(connection: AsyncConnection) -> Places:
    """Read the small replicated tables."""
    labels: dict[str, str] = {}
    of_book: defaultdict[int, list[str]] = defaultdict(list)
    for row in await connection.execute(ACCOUNTS):
        labels[f"account:{row.id}"] = f"{row.bin}-{row.number}"
        of_book[row.book_id].append(f"{row.bin}-{row.number}")
    heads: set[str] = set()
    for code in await connection.scalars(AGENCIES):
        try:
            agency = agency_code.parse(str(code))
        except UnreadableCode:
            continue
        heads.add("".join((*agency.low_units, agency.root)))
    return Places(
        labels=labels,
        of_book={book_id: tuple(sorted(own)) for book_id, own in of_book.items()},
        heads=tuple(sorted(heads)),
    )


async def find(
    connection: AsyncConnection, book_id: int, money: Sequence[Money], known: Places
) -> Found:
    """The items that `money` of a book may be for."""
    search = _Search(connection, book_id, known)
    strong, expiries = await search.by_reference(money)
    keys = _keys(money, {"whole", "padded"})
    coded = await search.by_key(keys, [book_id])
    lost = keys - coded.keys()
    whole = _keys(money, {"whole"})
    elsewhere = await search.elsewhere(lost & whole)
    named = {key for found in (strong, coded) for keys_ in found.values() for key in keys_}
    siblings = await search.siblings({one for book, one in named if book == book_id})
    weak = await search.fragments(money, lost)
    weak |= await search.damaged(money)
    weak |= await search.by_amount([one for one in money if not _known(one, strong, coded)])
    everything = named | {key for found in elsewhere.values() for key in found}
    everything |= {(book_id, one) for one in siblings | weak}
    return Found(items=await search.items(everything), expiries=expiries)


def _keys(money: Iterable[Money], kinds: set[str]) -> set[str]:
    return {
        key
        for one in money
        for token in one.evidence.dossier_codes
        if token.kind in kinds
        for key in token.keys
    }


def _known(money: Money, strong: Mapping[str, object], coded: Mapping[str, object]) -> bool:
    """Whether a whole code of this money is of some notice."""
    return any(one in strong for one in money.evidence.references) or any(
        key in coded
        for token in money.evidence.dossier_codes
        if token.kind == "whole"
        for key in token.keys
    )


def neighbours(damaged: str) -> set[str]:
    """Whole references that are one wrong character away from a damaged one."""
    scheme = payment_reference.HUE
    body = damaged.removeprefix(scheme.prefix)
    if not damaged.startswith(scheme.prefix) or len(body) != scheme.length - len(scheme.prefix):
        return set()
    found: set[str] = set()
    for place in range(len(body)):
        for letter in scheme.alphabet:
            whole = payment_reference.read_body(scheme, body[:place] + letter + body[place + 1 :])
            if whole is not None:
                found.add(whole.text)
    return found


class _Search:
    """The look-ups of one block."""

    def __init__(self, connection: AsyncConnection, book_id: int, known: Places) -> None:
        self._connection = connection
        self._book_id = book_id
        self._places = known

    async def _ids(self, statement: sa.TextClause, **values: object) -> set[UUID]:
        rows = await self._connection.execute(statement, {"book_id": self._book_id, **values})
        return {UUID(str(row.notice_id)) for row in rows}

    async def by_reference(
        self, money: Sequence[Money]
    ) -> tuple[dict[str, set[Key]], dict[str, datetime]]:
        """Notices of the payment requests that money names, in whatever book they are."""
        references = {one for each in money for one in each.evidence.references}
        found: defaultdict[str, set[Key]] = defaultdict(set)
        expiries: dict[str, datetime] = {}
        if not references:
            return {}, {}
        wanted = {"references": sorted(references), "book_id": self._book_id}
        for row in await self._connection.execute(BY_REFERENCE, wanted):
            found[row.reference].add((row.book_id, UUID(str(row.notice_id))))
            if row.expires_at is not None:
                expiries[row.reference] = row.expires_at
        return dict(found), expiries

    async def by_key(self, keys: set[str], books: Sequence[int]) -> dict[str, set[Key]]:
        """Notices of these dossiers."""
        found: defaultdict[str, set[Key]] = defaultdict(set)
        if keys and books:
            wanted = {"keys": sorted(keys), "books": list(books)}
            for row in await self._connection.execute(BY_KEY, wanted):
                found[row.dossier_key].add((row.book_id, UUID(str(row.notice_id))))
        return dict(found)

    async def elsewhere(self, keys: set[str]) -> dict[str, set[Key]]:
        """Dossiers that this book does not know, in the other books: paid to the wrong account."""
        if not keys:
            return {}
        others = await self._connection.scalars(OTHER_BOOKS, {"book_id": self._book_id})
        return await self.by_key(keys, [int(str(one)) for one in others])

    async def siblings(self, ids: set[UUID]) -> set[UUID]:
        """Other notices of the same dossiers and payers."""
        if not ids:
            return set()
        return await self._ids(SIBLINGS, ids=sorted(ids), limit=SIBLINGS_MAX)

    async def fragments(self, money: Sequence[Money], lost: set[str]) -> set[UUID]:
        """Notices that cut or mistyped codes could be of."""
        starts = dict.fromkeys(sorted(_keys(money, {"truncated"})), NEAR_MAX)
        starts |= dict.fromkeys(sorted(key[:-NUMBER] for key in lost), OF_A_DAY_MAX)
        tails = {key[-TAIL:] for key in _keys(money, {"tail"}) | lost}
        found: set[UUID] = set()
        if starts:
            found |= await self._ids(
                BY_BEGINNING, starts=list(starts), limits=list(starts.values()), last=LAST
            )
        if tails:
            keys = {head + tail for head in self._places.heads for tail in tails}
            by_key = await self.by_key(keys, [self._book_id])
            found |= {one for keys_ in by_key.values() for _, one in keys_}
        return found

    async def damaged(self, money: Sequence[Money]) -> set[UUID]:
        """Notices of requests whose reference a damaged one could be."""
        damaged = {one for each in money for one in each.evidence.damaged_references}
        if not damaged:
            return set()
        return await self._ids(
            BY_DAMAGED,
            starts=sorted({one[:REFERENCE_HEAD] for one in damaged}),
            exact=sorted({near for one in damaged for near in neighbours(one)}),
            last=LAST,
            limit=NEAR_MAX,
        )

    async def by_amount(self, money: Sequence[Money]) -> set[UUID]:
        """Open notices of the same amount, those that share name words first."""
        if not money:
            return set()
        since = min(one.happened_on for one in money) - WINDOW
        return await self._ids(
            BY_AMOUNT,
            ids=[one.id for one in money],
            wanted=[one.amount_vnd for one in money],
            amounts=sorted({one.amount_vnd for one in money}),
            first=UUID(int=max(0, int(instant(since).timestamp() * 1000)) << 80),
            same_amount=SAME_AMOUNT_MAX,
            by_amount=BY_AMOUNT_MAX,
        )

    async def items(self, keys: set[Key]) -> list[Item]:
        """The notices as items, with their groups of siblings."""
        ordered = sorted(keys)
        rows = (
            await self._connection.execute(
                ITEMS, {"books": [book for book, _ in ordered], "ids": [one for _, one in ordered]}
            )
        ).all()
        groups: Groups[object] = Groups()
        for row in rows:
            groups.join(("dossier", row.book_id, row.dossier_key), row.id)
            if row.payer_key is not None:
                groups.join(("payer", row.book_id, bytes(row.payer_key)), row.id)
        return [
            Item(
                id=UUID(str(row.id)),
                dossier_key=row.dossier_key,
                references=tuple(row.references),
                amount_vnd=row.owed_vnd,
                open_vnd=row.outstanding_vnd if row.status != "cancelled" else 0,
                state=_state(row.status, row.outstanding_vnd),
                own_accounts=self._places.of_book.get(row.book_id, ()),
                created_on=business_day(row.created_at),
                sibling_group=str(groups.root(row.id)),
                name_keys=tuple(bytes(key).hex() for key in row.name_keys),
            )
            for row in rows
        ]


def _state(status: str, outstanding_vnd: int) -> State:
    if status == "cancelled":
        return "cancelled"
    if outstanding_vnd:
        return "open"
    return "exempt" if status == "exempt" else "paid"
