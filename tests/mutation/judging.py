"""Change valid calls, many times, and see whether the adapter believes anything that was not said.

A changed call is refused, or says exactly what the original said and is then a repeat. All else is
a fault: believed to say something else, or an error that is not a refusal.
"""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from providers import Call, Claim, Rejected, Status
from tests.mutation.base import Operator
from tests.mutation.operators import BODY, HEADS
from tests.providers.spoken import NOW, Spoken

Table = Mapping[str, Operator]

CALLS: Final = 60
"""Valid calls per provider and mode that the changes start from."""
EXAMPLES_MAX: Final = 5
TRIES: Final = 20
MEMOS: Final = (
    "{code} nop le phi ho so",
    "{code} Nộp lệ phí hồ sơ đất đai & phụ phí + 10% = 50.000",
    "Nộp lệ phí",
    "A|B|50000|VND|C&vnp_Amount=1&amount=2&orderId=X",
    "a/b <c> \"d\" 'e' \\ f",
    "",
)
SEPARATORS: Final = "&|"
STATUSES: Final[tuple[Status, ...]] = (
    "paid",
    "credit",
    "debit",
    "failed",
    "cancelled",
    "pending",
    "held",
    "expired",
    "reversed",
)


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A changed call that was taken for something else, or broke the adapter."""

    provider: str
    operators: tuple[str, ...]
    what: str
    call: Call


class Tally(msgspec.Struct, kw_only=True):
    """What became of the changed calls of one provider in one mode."""

    name: str
    mutations: int = 0
    refused: int = 0
    same: int = 0
    other: int = 0
    errors: int = 0
    seconds: float = 0.0
    faults: list[Fault] = msgspec.field(default_factory=list)


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """A changed call, the changes, and the claims it may still make."""

    call: Call
    operators: tuple[str, ...]
    allowed: tuple[Sequence[Claim], ...]


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """Valid calls and what each of them says."""

    calls: list[Call]
    said: list[Sequence[Claim]]


def material(
    spoken: Spoken, dice: random.Random, now: datetime = NOW, count: int = CALLS
) -> Material:
    """True calls of a moment about different payments, of every kind that this provider tells."""
    made = Material(calls=[], said=[])
    for number in range(count * len(STATUSES)):
        payment = spoken.payment(
            status=spoken.money if number % 2 else dice.choice(STATUSES),
            transaction=str(10_000_000 + dice.randrange(10**8)),
            amount_vnd=dice.choice((1_000, 50_000, 100_000, 1_234_567, 99_999_999)),
            memo=dice.choice(MEMOS).format(code=spoken.order_code),
            bank_reference=f"FT{dice.randrange(10**9)}",
            paid_at=now - timedelta(seconds=dice.randrange(200)),
        )
        try:
            call = spoken.call(payment, now=now - timedelta(seconds=dice.randrange(100)))
            said = spoken.read(call, now=now)
        except ValueError:
            continue  # this provider does not tell that
        except Rejected:
            # Where the signed text is not injective an adapter may refuse what could be two things.
            assert set(payment.memo) & set(SEPARATORS), (spoken.name, payment)
            continue
        made.calls.append(call)
        made.said.append(said)
        if len(made.calls) == count:
            return made
    raise AssertionError(f"{spoken.name} tells too little: {len(made.calls)} calls")


def mutants(
    spoken: Spoken, made: Material, dice: random.Random, count: int, table: Table | None = None
) -> Iterator[Mutant]:
    """`count` changed calls, each by one to three operators; equal dice give equal ones."""
    table = table or (HEADS if spoken.is_weak else BODY | HEADS)
    names, calls = list(table), made.calls
    for _ in range(count):
        for _ in range(TRIES):
            at, at_too = dice.randrange(len(calls)), dice.randrange(len(calls))
            call, done = calls[at], []
            for name in dice.sample(names, min(len(names), dice.choice((1, 1, 1, 2, 3)))):
                new = table[name](dice, call, calls[at_too])
                if new is not None:
                    call = new
                    done.append(name)
            if call not in (calls[at], calls[at_too]):
                break
        else:
            raise AssertionError(f"{spoken.name}: nothing can be changed")
        allowed = (made.said[at], made.said[at_too])
        yield Mutant(call=call, operators=tuple(done), allowed=allowed)


def judge(spoken: Spoken, seed: int, count: int, table: Table | None = None) -> Tally:
    """Make `count` changed calls and count what the adapter makes of them."""
    tally, dice = Tally(name=spoken.name), random.Random(seed)
    begun = time.perf_counter()
    for mutant in mutants(spoken, material(spoken, dice), dice, count, table):
        tally.mutations += 1
        try:
            claims = spoken.read(mutant.call)
        except Rejected:
            tally.refused += 1
            continue
        except Exception as error:  # noqa: BLE001 # whatever it is, it is no refusal
            tally.errors += 1
            _note(tally, mutant, repr(error))
            continue
        if claims in mutant.allowed:
            tally.same += 1
        else:
            tally.other += 1
            _note(tally, mutant, repr(claims))
    tally.seconds = time.perf_counter() - begun
    return tally


def _note(tally: Tally, mutant: Mutant, what: str) -> None:
    if len(tally.faults) < EXAMPLES_MAX:
        tally.faults.append(
            Fault(provider=tally.name, operators=mutant.operators, what=what, call=mutant.call)
        )
