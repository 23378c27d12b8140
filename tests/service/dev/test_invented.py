"""What the demo invents is what the service is made for: readable memos, dossiers, signed calls."""

import random
from collections import Counter
from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import Call, Rejected
from providers.acting import Acts, Payment
from providers.catalog import CATALOG
from providers.contract import Secret, Terms
from service import reference_data
from service.dev import mishaps, people
from service.dev.dossiers import Desk, choices
from service.dev.mishaps import Rates
from service.dev.units import UNITS, Unit
from service.fees.messages import NewFeeNotice
from service.references import dossier_code, memo, payment_reference

NOW = datetime(2026, 11, 20, 3, 30, tzinfo=UTC)
TODAY = date(2026, 11, 20)
TERMS = Terms(merchant="HUEDVC01", secrets=[Secret("a secret of the demo")])
PAYMENT = Payment(
    order_code="HUE010000000000",
    transaction="14000001",
    amount_vnd=100_000,
    paid_at=NOW,
    scope="HUE010000000000",
)


def status(call: Call) -> str:
    """What VNPAY's adapter makes of a call."""
    try:
        return CATALOG["vnpay"].read(call, TERMS, NOW)[0].status
    except Rejected as rejected:
        return rejected.why


@given(st.integers(0, 2**32), st.binary(min_size=5, max_size=5))
def test_every_memo_still_names_its_reference(seed: int, body: bytes) -> None:
    """Whatever the wrapper does, the one reference in the memo is found."""
    dice = random.Random(seed)
    reference = payment_reference.mint("01", body)
    person = people.somebody(dice)
    text = people.typed(dice, reference, person)
    found = memo.scan(people.wrapped(dice, text, person, NOW, UNITS[0].account))
    assert found.references == (reference,)


@given(st.integers(0, 2**32))
def test_a_vague_memo_names_nothing(seed: int) -> None:
    """Who writes only a name and a greeting gives no reference and no dossier code."""
    dice = random.Random(seed)
    person = people.somebody(dice)
    text = people.wrapped(dice, people.vague(dice, person), person, NOW, UNITS[0].account)
    found = memo.scan(text)
    assert found.references == ()
    assert found.dossier_codes == ()


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.book.code)
def test_dossiers_can_be_recorded(unit: Unit) -> None:
    """Each body fits the call, its code can be read, and no code is given twice."""
    desks = [Desk(random.Random(1), unit, TODAY, run) for run in (0, 1, 12)]
    codes = Counter[str]()
    for desk in desks:
        for _ in range(100):
            dossier = desk.next()
            notice = msgspec.convert(dossier.body, NewFeeNotice)
            assert sum(item.amount_vnd for item in notice.items) == dossier.amount_vnd
            assert dossier_code.parse(dossier.code, today=TODAY).text == dossier.code
            codes[dossier.code] += 1
    assert set(codes.values()) == {1}


def test_each_unit_has_real_fees() -> None:
    """Both units decide procedures whose fees are in force."""
    for unit in UNITS:
        assert len(choices(unit, TODAY)) > 10


def test_reference_data_is_consistent() -> None:
    """Codes are unique where they must be, and every fee is of a day, an amount and a kind."""
    agencies = Counter((one.code, one.valid_from) for one in reference_data.agencies())
    assert max(agencies.values()) == 1
    assert max(Counter(one.code for one in reference_data.procedures()).values()) == 1
    fees = reference_data.fees(TODAY)
    assert {fee.kind for fee in fees} == {"phi", "le_phi"}
    assert all(fee.amount_vnd >= 0 and 0 <= fee.retained_percent <= 100 for fee in fees)
    assert {unit.book.agency_code for unit in UNITS} <= {code for code, _ in agencies}


@pytest.mark.parametrize("mishap", ["", *Rates().table])
def test_gateway_calls_are_signed_as_vnpay_signs(mishap: str) -> None:
    """All calls are believed, but for the forged copy, which comes first."""
    vnpay = CATALOG["vnpay"]
    assert isinstance(vnpay, Acts)
    happened = mishaps.at_gateway(random.Random(3), PAYMENT, vnpay, TERMS, mishap, now=NOW)
    expected: dict[str, set[tuple[str, ...]]] = {
        "duplicate": {("paid",) * 2, ("paid",) * 3, ("paid",) * 4},
        "forged_first": {("forged", "paid")},
        "lost": {()},
        "failed_first": {("cancelled", "paid")},
        "held": {("held",)},
        "twice": {("paid", "paid")},
    }
    assert tuple(map(status, happened.calls)) in expected.get(mishap, {("paid",)})
    remembered = 2 if mishap in {"twice", "failed_first"} else 1
    assert len(happened.payments) == remembered


@given(st.integers(0, 2**32), st.integers(1, 10**9))
def test_another_amount_is_another_amount(seed: int, amount_vnd: int) -> None:
    """A wrong amount is positive and never the right one."""
    other = mishaps.other_amount(random.Random(seed), amount_vnd)
    assert other > 0
    assert other != amount_vnd


def test_a_bank_feed_knows_no_failed_payment() -> None:
    """What only gateways say never happens to a transfer."""
    dice = random.Random(5)
    always = Rates(duplicates=0, forged=0, lost=0, late=0, wrong_amounts=0, failed_first=1)
    assert {mishaps.cast(dice, always, feed=True) for _ in range(50)} == {""}
    assert {mishaps.cast(dice, always, feed=False) for _ in range(50)} == {"failed_first"}
