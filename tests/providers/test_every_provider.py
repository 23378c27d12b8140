"""Facts that hold for each provider in the catalogue, in each of its modes.

A provider joins by standing in the catalogue. Its calls are made by its own side, its answers are
expected by `tests.providers.answers`, its recorded requests are in `tests.providers.test_vectors`.
"""

import ast
import json
import unicodedata
from datetime import timedelta
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import providers
from providers import Call, Claim, Outcome, Rejected, Secret
from providers.acting import Acts, ReadsOwnLinks
from providers.catalog import CATALOG
from tests.mutation import json_text, query_text
from tests.mutation.json_text import Number, Pairs
from tests.mutation.judging import STATUSES, judge
from tests.providers.answers import ANSWERS, fits
from tests.providers.recorded import vectors
from tests.providers.spoken import NOW, SPOKEN, Spoken

EACH = pytest.mark.parametrize("spoken", SPOKEN, ids=[one.name for one in SPOKEN])
SIGNED = [one for one in SPOKEN if not one.is_weak]
WEAK = [one for one in SPOKEN if one.is_weak]
EACH_SIGNED = pytest.mark.parametrize("spoken", SIGNED, ids=[one.name for one in SIGNED])
EACH_WEAK = pytest.mark.parametrize("spoken", WEAK, ids=[one.name for one in WEAK])

WHYS = {"forged", "stale", "malformed"}
CLEAN = ("transaction", "reference", "scope", "amount_text", "memo", "bank_reference")
SOURCES = sorted(Path(providers.__file__).parent.rglob("*.py"))
IMPURE = {"time", "random", "secrets", "os", "socket", "threading", "asyncio", "uuid"}
CLOCKS = {"now", "today", "utcnow"}
OUR_OWN = {"sandbox"}
"""Has no recordings but ours: no other party speaks it."""
SAMPLE = 300
HUGE = 300_000


def says(spoken: Spoken, call: Call, original: object) -> bool:
    """Whether a call says what the original said; False where it is refused; else it fails."""
    found = spoken.verdict(call)
    assert found == original or found in WHYS, (spoken.name, found)
    return found == original


def told_code(spoken: Spoken, status: str = "credit") -> str | None:
    """The order that a call names; a feed may find no code itself, and none for outgoing money."""
    (claim,) = spoken.read(spoken.call())
    finds_none = spoken.money == "credit" and claim.reference is None
    return None if finds_none or status == "debit" else spoken.order_code


def edited(call: Call, change: bytes) -> Call:
    """The call with another body or query, whichever it has."""
    return msgspec.structs.replace(call, **{"body" if call.body else "raw_query": change})


def test_every_provider_is_whole() -> None:
    """None joins the catalogue without its own side, its answers, and recordings of its calls."""
    assert {one.provider for one in SPOKEN} == set(CATALOG)
    for name, provider in CATALOG.items():
        assert provider.name == name
        assert isinstance(provider, Acts)
        assert {one.terms.mode for one in SPOKEN if one.provider == name} == provider.modes
        assert provider.weak_modes <= provider.modes
        assert set(ANSWERS[name]) == set(Outcome)
        assert vectors(name, "ipn") or name in OUR_OWN


@EACH
@pytest.mark.parametrize("status", STATUSES)
def test_what_a_provider_tells_is_read_back(spoken: Spoken, status: str) -> None:
    """Transaction, status, order, amount and time of a payment come back from its call."""
    payment = spoken.payment(status=status)
    try:
        call = spoken.call(payment)
    except ValueError:
        assert status != spoken.money
        return
    (claim,) = spoken.read(call)
    assert claim.status == status
    assert claim.transaction == payment.transaction
    assert claim.reference == told_code(spoken, status)
    assert claim.amount_vnd == payment.amount_vnd
    earlier = spoken.payment(status=status, paid_at=NOW - timedelta(hours=1))
    says_when = spoken.call(earlier) != call
    assert claim.happened_at == (NOW if says_when else None)
    assert claim.kind == ("gateway" if spoken.money == "paid" else "feed")
    assert call.method in spoken.adapter.methods
    assert call.path == f"/callbacks/{spoken.provider}/{spoken.terms.merchant}"


@given(spoken=st.sampled_from(SPOKEN), amount_vnd=st.integers(1_000, 50_000_000))
def test_every_amount_is_read_back_to_the_dong(spoken: Spoken, amount_vnd: int) -> None:
    """Whatever the unit on the wire, whole đồng come back as they were."""
    (claim,) = spoken.read(spoken.call(spoken.payment(amount_vnd=amount_vnd)))
    assert claim.amount_vnd == amount_vnd


@EACH
def test_an_amount_that_is_no_whole_dong_is_no_amount(spoken: Spoken) -> None:
    """Half a đồng is believed and kept, and nobody guesses what it means."""
    text = "5000050" if spoken.call(spoken.payment()).raw_query else "50000.5"
    (claim,) = spoken.read(spoken.call(spoken.payment(amount_text=text)))
    assert claim.amount_vnd is None
    assert claim.amount_text


@EACH
def test_a_call_is_read_alike_at_any_time(spoken: Spoken) -> None:
    """Reading, signing and answering know no clock and keep no memory."""
    call = spoken.call()
    assert spoken.read(call) == spoken.read(call)
    assert spoken.call() == call
    for outcome in Outcome:
        assert spoken.adapter.answer(outcome, call) == spoken.adapter.answer(outcome, call)


@pytest.mark.parametrize("path", SOURCES, ids=[path.name for path in SOURCES])
def test_no_adapter_has_a_clock_or_dice(path: Path) -> None:
    """What would make one call mean two things is not imported, and no clock is asked."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            module = node.module if isinstance(node, ast.ImportFrom) else None
            assert not IMPURE & {name.partition(".")[0] for name in {*names, module or ""}}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of_a_clock = ast.unparse(node.func.value).endswith(("datetime", "date"))
            assert not (of_a_clock and node.func.attr in CLOCKS)


# What proves a call


@EACH_SIGNED
def test_no_changed_byte_makes_a_call_say_something_else(spoken: Spoken) -> None:
    """Each byte of query, body and headers, changed in several ways: refused, or as it was."""
    call = spoken.call()
    original, refused = spoken.read(call), 0
    for field in ("raw_query", "body"):
        raw: bytes = getattr(call, field)
        for at, byte in enumerate(raw):
            for other in {byte ^ 1, byte ^ 32, ord("0"), ord("&"), ord('"')} - {byte}:
                new = raw[:at] + bytes([other]) + raw[at + 1 :]
                refused += not says(spoken, msgspec.structs.replace(call, **{field: new}), original)
    for number, (name, value) in enumerate(call.headers):
        for at, char in enumerate(value):
            heads = list(call.headers)
            heads[number] = (name, value[:at] + chr(ord(char) ^ 1) + value[at + 1 :])
            refused += not says(
                spoken, msgspec.structs.replace(call, headers=tuple(heads)), original
            )
    assert refused > 100


@EACH_WEAK
def test_a_changed_key_is_no_key(spoken: Spoken) -> None:
    """Where a key is all that proves a call, every change of it is refused."""
    call, refused = spoken.call(), 0
    key = str.__str__(spoken.terms.secrets[0])
    for number, (name, value) in enumerate(call.headers):
        if key in value:
            for at, char in enumerate(key):
                heads = list(call.headers)
                other = key[:at] + chr(ord(char) ^ 1) + key[at + 1 :]
                heads[number] = (name, value.replace(key, other))
                changed = msgspec.structs.replace(call, headers=tuple(heads))
                assert spoken.verdict(changed) == "forged"
                refused += 1
    assert refused == len(key)


@EACH
def test_a_forged_call_tells_which_order_it_means(spoken: Spoken) -> None:
    """Signed with another key it is forged; the shelf it is kept on is the order it names."""
    call = spoken.call(terms=spoken.with_secrets(spoken.other_key))
    with pytest.raises(Rejected) as rejected:
        spoken.read(call)
    assert rejected.value.why == "forged"
    assert not rejected.value.authentic
    hint = rejected.value.hint
    assert hint is not None
    assert (hint.reference, hint.amount_vnd) == (told_code(spoken), spoken.payment().amount_vnd)


@EACH
def test_without_any_header_nothing_new_is_believed(spoken: Spoken) -> None:
    """A proof that stands in a header is missed."""
    call = spoken.call()
    bare = msgspec.structs.replace(call, headers=())
    assert spoken.verdict(bare) in (spoken.read(call), "forged", "malformed")


@EACH
def test_either_of_two_secrets_verifies(spoken: Spoken) -> None:
    """While a secret is replaced, calls under the old one and the new one are both believed."""
    call, (key,) = spoken.call(), spoken.terms.secrets
    for secrets in ((spoken.other_key, key), (key, spoken.other_key)):
        assert spoken.read(call, spoken.with_secrets(*secrets)) == spoken.read(call)


@EACH
@pytest.mark.parametrize("kind", ["none", "empty", "another"])
def test_a_merchant_without_the_right_secret_believes_nobody(spoken: Spoken, kind: str) -> None:
    """No secret, an empty one or another one: the call is forged."""
    secrets = {"none": (), "empty": (Secret(""),), "another": (spoken.other_key,)}[kind]
    assert spoken.verdict(spoken.call(), spoken.with_secrets(*secrets)) == "forged"


@EACH
def test_an_empty_secret_proves_nothing(spoken: Spoken) -> None:
    """What anybody can sign with an empty key is forged, also where the key was left empty."""
    empty = spoken.with_secrets(Secret(""))
    try:
        call = spoken.call(terms=empty)
    except ValueError:
        return  # such a key does not even sign
    assert spoken.verdict(call, empty) == "forged"


@EACH
def test_an_unknown_mode_believes_nobody(spoken: Spoken) -> None:
    """Where it was not agreed how calls are proven, none is."""
    terms = msgspec.structs.replace(spoken.terms, mode="none")
    assert spoken.adapter.modes == {""} or spoken.verdict(spoken.call(), terms) in WHYS


@EACH
def test_a_secret_is_not_shown(spoken: Spoken) -> None:
    """A secret stays out of representations, also inside the terms."""
    shown = repr(spoken.terms)
    assert str.__str__(spoken.terms.secrets[0]) not in shown
    for secret in spoken.terms.credentials.values():
        assert str.__str__(secret) not in shown


@EACH
def test_a_call_is_fresh_for_five_minutes_or_has_no_age(spoken: Spoken) -> None:
    """A signed timestamp is judged to the second, both ways; other calls have no age at all."""
    call = spoken.call()
    original = spoken.read(call)
    if spoken.verdict(call, now=NOW + timedelta(days=30)) == original:
        return  # says nothing of when it was sent, or the page sets no window
    assert spoken.call(now=NOW + timedelta(seconds=1)) != call
    for sign in (1, -1):
        assert spoken.verdict(call, now=NOW + sign * timedelta(seconds=299)) == original
        assert spoken.verdict(call, now=NOW + sign * timedelta(seconds=301)) == "stale"
    wide = msgspec.structs.replace(spoken.terms, freshness_s=900)
    assert spoken.verdict(call, wide, NOW + timedelta(seconds=899)) == original
    assert spoken.verdict(call, wide, NOW + timedelta(seconds=901)) == "stale"


# How it may be written


@EACH
def test_another_method_is_malformed(spoken: Spoken) -> None:
    """A provider is heard only by the methods it uses."""
    call = spoken.call()
    for method in {"GET", "POST", "PUT", "HEAD", "get"} - spoken.adapter.methods:
        assert spoken.verdict(msgspec.structs.replace(call, method=method)) == "malformed"


@EACH
def test_order_is_free_where_raw_bytes_are_not_signed(spoken: Spoken) -> None:
    """Parameters and keys may come in any order, unless the very bytes are what is signed."""
    call = spoken.call()
    original, dice = spoken.read(call), Random(1)
    if call.raw_query:
        for _ in range(5):
            found = query_text.pieces(call.raw_query)
            shuffled = query_text.joined(dice.sample(found, len(found)))
            assert spoken.verdict(edited(call, shuffled)) == original
        return
    node = json_text.parse(call.body.decode())
    blanks = json_text.write(node, blank="  ").encode()
    raw_is_signed = spoken.verdict(edited(call, blanks)) == "forged"
    for _ in range(5):
        for one in json_text.objects(node):
            dice.shuffle(one)
        new = edited(call, json_text.write(node).encode())
        assert spoken.verdict(new) == ("forged" if raw_is_signed else original)


@EACH
def test_header_names_may_be_spelled_in_any_case(spoken: Spoken) -> None:
    """Proxies write header names as they like, and in any order."""
    call = spoken.call()
    heads = tuple((name.lower(), value) for name, value in reversed(call.headers))
    assert spoken.read(msgspec.structs.replace(call, headers=heads)) == spoken.read(call)


@EACH
def test_unknown_fields_pass_or_are_forged(spoken: Spoken) -> None:
    """What a provider adds one day changes nothing that we read."""
    call = spoken.call()
    original = spoken.read(call)
    if call.raw_query:
        assert spoken.verdict(edited(call, call.raw_query + b"&utm_source=x")) == original
        return
    node = json_text.parse(call.body.decode())
    for one in json_text.objects(node):
        one.append(("somethingNew", Pairs([("a", Number("1"))])))
        says(spoken, edited(call, json_text.write(node).encode()), original)
        one.pop()


@EACH
def test_nulls_and_numbers_as_text_are_read_or_refused(spoken: Spoken) -> None:
    """No field of a JSON body, null or with its number as text, makes an adapter stumble."""
    call = spoken.call()
    if call.raw_query:
        pieces = query_text.pieces(call.raw_query)
        for at, piece in enumerate(pieces):
            bare = [*pieces[:at], piece.partition("=")[0] + "=", *pieces[at + 1 :]]
            says(spoken, edited(call, query_text.joined(bare)), spoken.read(call))
        return
    original = spoken.read(call)
    node = json_text.parse(call.body.decode())
    for one in list(json_text.objects(node)):
        for at, (key, value) in enumerate(one):
            one[at] = (key, None)
            found = spoken.verdict(edited(call, json_text.write(node).encode()))
            assert spoken.is_weak or found == original or found in WHYS
            assert not isinstance(found, str) or found in WHYS
            if isinstance(value, Number):
                one[at] = (key, str.__str__(value))
                says(spoken, edited(call, json_text.write(node).encode()), original)
            one[at] = (key, value)


@EACH
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_vietnamese_is_verified_as_it_was_written(spoken: Spoken, form: str) -> None:
    """Composed or decomposed, the bytes that came are those that are verified and kept."""
    memo = unicodedata.normalize(form, "Nộp lệ phí hồ sơ đất đai & phụ phí + 10%")  # type: ignore[arg-type]
    call = spoken.call(spoken.payment(memo=memo))
    (claim,) = spoken.read(call)
    assert claim.memo in {memo, ""}
    other = unicodedata.normalize("NFD" if form == "NFC" else "NFC", memo)
    if call.raw_query:
        found = [query_text.decoded(piece) for piece in query_text.pieces(call.raw_query)]
        new = "&".join(
            query_text.encoded(key, other if value == memo else value) for key, value in found
        ).encode()
    else:
        new = call.body.replace(memo.encode(), other.encode())
        new = new.replace(json.dumps(memo)[1:-1].encode(), json.dumps(other)[1:-1].encode())
    if new not in {call.body, call.raw_query} and not spoken.is_weak:
        assert says(spoken, edited(call, new), (claim,)) <= (claim.memo == "")


@EACH
def test_a_repeated_key_is_refused(spoken: Spoken) -> None:
    """Two values of one name: nobody can tell which one was meant."""
    call = spoken.call()
    if call.raw_query:
        for piece in query_text.pieces(call.raw_query):
            for new in (
                call.raw_query + b"&" + piece.encode(),
                piece.encode() + b"&" + call.raw_query,
            ):
                assert spoken.verdict(edited(call, new)) in WHYS
        return
    node = json_text.parse(call.body.decode())
    for one in list(json_text.objects(node)):
        one.append(one[0])
        assert spoken.verdict(edited(call, json_text.write(node).encode())) in WHYS
        one.pop()


@EACH
def test_huge_deep_and_truncated_calls_are_refused(spoken: Spoken) -> None:
    """Endless, bottomless and cut off: refused without a stumble."""
    call = spoken.call()
    whole = call.body or call.raw_query
    if call.body:
        endless = [
            whole + b" " * HUGE,
            whole[:-1] + b',"x":"' + b"x" * HUGE + b'"}',
            whole[:-1] + b',"x":' + b"[" * HUGE + b"]" * HUGE + b"}",
            b"[" * HUGE,
            b'{"a":' * HUGE,
        ]
    else:
        endless = [whole + b"&x=1" * HUGE, whole + b"&x=" + b"x" * HUGE, b"&" * HUGE]
    for new in endless:
        assert spoken.verdict(edited(call, new)) == "malformed"
    for cut in {0, 1, 2, len(whole) // 3, len(whole) // 2, len(whole) - 2, len(whole) - 1}:
        assert spoken.verdict(edited(call, whole[:cut])) in {"forged", "malformed"}


@EACH
@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/form-data", "application/xml", "", "\u20ac"]
)
def test_a_content_type_decides_nothing(spoken: Spoken, kind: str) -> None:
    """The bytes are read whatever they are called, or refused."""
    call = spoken.call()
    heads = [(name, value) for name, value in call.headers if name.lower() != "content-type"]
    heads.append(("Content-Type", kind))
    says(spoken, msgspec.structs.replace(call, headers=tuple(heads)), spoken.read(call))


# What it is answered


@pytest.mark.parametrize("name", sorted(CATALOG))
@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_has_its_answer(name: str, outcome: Outcome) -> None:
    """Status, type and body of the answer are what the provider's page says."""
    spoken = next(one for one in SPOKEN if one.provider == name)
    call = spoken.call()
    fits(spoken.adapter.answer(outcome, call), name, outcome, call.body)


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_any_call_can_be_answered(name: str) -> None:
    """Whatever came, also nothing at all, the answer can be made."""
    adapter = CATALOG[name]
    for body in (b"", b"{", b"[]", b'{"a":1}', b"\xff\xfe", b"null", b'"x"'):
        for outcome in Outcome:
            call = Call(method="POST", path="/", raw_query=body, body=body)
            status = adapter.answer(outcome, call).status
            assert status == ANSWERS[name][outcome][0]


@EACH
def test_a_provider_is_content_with_done_and_not_with_try_again(spoken: Spoken) -> None:
    """The provider's side ends its calls after our "done", and only then."""
    call = spoken.call()
    for outcome in (Outcome.BOOKED, Outcome.NOTED, Outcome.REPEAT, Outcome.REPEAT_OF_PAID):
        answer = spoken.adapter.answer(outcome, call)
        assert spoken.acts.accepts(answer.status, answer.body)
    answer = spoken.adapter.answer(Outcome.TRY_AGAIN, call)
    assert not spoken.acts.accepts(answer.status, answer.body)
    assert not spoken.acts.accepts(500, b"Internal Server Error")
    assert list(spoken.acts.retry_waits) == [wait for wait in spoken.acts.retry_waits if wait]


# Whatever comes


@EACH
def test_no_changed_call_is_believed_to_say_anything_else(spoken: Spoken) -> None:
    """A seeded sample of `make mutate`: refused or a repeat, both of which happen; no error."""
    tally = judge(spoken, seed=20_260_312, count=SAMPLE)
    assert tally.faults == []
    assert (tally.other, tally.errors) == (0, 0)
    assert tally.refused + tally.same == tally.mutations == SAMPLE
    assert tally.refused > 0
    assert tally.same > 0


@given(
    spoken=st.sampled_from(SPOKEN),
    edits=st.lists(
        st.tuples(st.integers(0, 2_000), st.integers(0, 12), st.binary(max_size=12)), max_size=6
    ),
    late=st.timedeltas(timedelta(days=-2), timedelta(days=2)),
)
def test_what_is_read_can_be_stored(
    spoken: Spoken, edits: list[tuple[int, int, bytes]], late: timedelta
) -> None:
    """Cut, doubled and overwritten calls are read or Rejected; what is read can be stored."""
    call = spoken.call()
    for at, width, put in edits:
        query, body = (raw[:at] + put + raw[at + width :] for raw in (call.raw_query, call.body))
        call = msgspec.structs.replace(call, raw_query=query, body=body)
    found = spoken.verdict(call, now=NOW + late)
    if isinstance(found, str):
        assert found in WHYS
        return
    for claim in found:
        storable(claim)


def storable(claim: Claim) -> None:
    """PostgreSQL can keep every text of a claim."""
    for field in CLEAN:
        text = getattr(claim, field) or ""
        assert "\x00" not in text
        assert text.encode().decode() == text


@given(
    spoken=st.sampled_from(SPOKEN),
    query=st.binary(max_size=300),
    body=st.binary(max_size=300),
    values=st.lists(st.text(max_size=40), min_size=4, max_size=4),
)
def test_noise_is_never_believed(
    spoken: Spoken, query: bytes, body: bytes, values: list[str]
) -> None:
    """Random bytes under headers of the right names are refused, whatever they are."""
    call = spoken.call()
    heads = tuple((name, value) for (name, _), value in zip(call.headers, values, strict=False))
    noise = msgspec.structs.replace(call, raw_query=query, body=body, headers=heads)
    assert spoken.verdict(noise) in WHYS


def test_a_link_is_read_only_where_we_sign_links() -> None:
    """Whoever reads our links makes them."""
    for provider in CATALOG.values():
        if isinstance(provider, ReadsOwnLinks):
            assert isinstance(provider, providers.MakesCheckout)
