"""Casso: the webhook of a bank account's movements (V2, and V1 as it used to be), and its list.

Source: developer.casso.vn and the official samples of verifying a signature. V2 signs the parsed
body written anew with sorted keys; which language's JSON its server writes is not known, so each of
those its samples are written in is tried. All need the key, so none makes a forgery easier.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from providers import casso_acting, casso_api, json_texts
from providers.abilities import Pulled, SignedRequest
from providers.acting import Payment, Shop
from providers.casso_api import V1, V2, claim_of
from providers.contract import Answer, Call, Claim, Hint, Outcome, Rejected, Terms
from providers.signing import hmac_sha512, is_any_of, is_signed
from providers.untrusted import json_object

BODY_BYTES_MAX = 65_536
"""A movement is about 600 bytes, and V1 sends several at once; a longer body is not read."""

SIGNED_BYTES_MAX = 16_384
"""Of V2, which sends one movement at a time, and whose body is written anew to be verified."""

MOVEMENTS_MAX = 500
"""In one call of V1."""

SIGNATURES_MAX = 4
"""In one header: more than one while Casso replaces a key."""

_JSON = "application/json"
_DONE: Final = (200, b'{"success":true}')
_TIMESTAMP = re.compile(r"[0-9]{1,15}", re.ASCII)
_SHA512 = re.compile(r"[0-9A-Fa-f]{128}", re.ASCII)
_ESCAPED_SOMEWHERE: Final = frozenset("/&<>\x7f")
_OTHER_ESCAPES: Final[Sequence[json_texts.Escape]] = (
    json_texts.ascii_only,
    json_texts.php,
    json_texts.php_unicode,
    json_texts.go,
)

_ANSWERS: Final = MappingProxyType(
    {
        Outcome.BOOKED: _DONE,
        Outcome.NOTED: _DONE,
        Outcome.REPEAT_OF_PAID: _DONE,
        Outcome.REPEAT: _DONE,
        Outcome.ANOTHER_FOR_PAID: _DONE,
        Outcome.UNKNOWN_ORDER: _DONE,
        Outcome.UNKNOWN_AGAIN: _DONE,
        Outcome.AMOUNT_DIFFERS: _DONE,
        Outcome.HELD: _DONE,
        Outcome.FORGED: (401, b'{"success":false}'),  # ours
        Outcome.STALE: (401, b'{"success":false}'),  # ours
        Outcome.MALFORMED: (400, b'{"success":false}'),  # ours
        Outcome.TRY_AGAIN: (503, b'{"success":false}'),  # ours
        Outcome.TEST: _DONE,
    }
)


class Casso:
    """The adapter; it holds no state, so one serves every merchant."""

    name = "casso"
    methods = frozenset({"POST"})
    modes = frozenset({V1, V2})
    weak_modes = frozenset({V1})
    credentials: Mapping[str, str] = MappingProxyType(
        {"api_key": "optional: the key for the list of transactions (as Authorization: Apikey)"}
    )
    options: Mapping[str, str] = MappingProxyType(
        {
            "freshness_s": (
                "how old, in seconds, a signed call of V2 may be; none is documented, and whether "
                "a repeat is signed anew is not known, so none: an old one is a repeat or news"
            ),
            **casso_api.OPTIONS,
        }
    )
    retry_waits: Sequence[timedelta] = casso_acting.RETRY_WAITS

    def read(self, call: Call, terms: Terms, now: datetime) -> Sequence[Claim]:
        """The claim of a call of V2; of V1 one for each movement."""
        bytes_max = SIGNED_BYTES_MAX if terms.mode == V2 else BODY_BYTES_MAX
        if call.method != "POST" or len(call.body) > bytes_max:
            raise Rejected("malformed", "not a POST with a short body")
        try:
            found: object = json_object(call.body)
            proven = _proven(found, call, terms)
        except ValueError as error:
            raise Rejected("malformed", str(error)) from None
        if proven is None:
            raise Rejected("forged", "no proof of Casso", hint=_hint(found))
        if terms.mode == V2 and not _is_fresh(call, terms, now):
            raise Rejected("stale", "signed long ago", hint=_hint(found))
        try:
            return tuple(claim_of(one) for one in _movements(proven))
        except ValueError as error:
            raise Rejected("malformed", str(error), authentic=True) from None

    def answer(self, outcome: Outcome, call: Call) -> Answer:
        """The samples answer `{"success":true}`; what makes Casso call again is not known."""
        del call
        status, body = _ANSWERS[outcome]
        return Answer(status=status, media_type=_JSON, body=body)

    def pull_request(self, position: str, terms: Terms, now: datetime) -> SignedRequest:
        """The page of the list with the number `position`."""
        del now
        return casso_api.pull_request(position, terms)

    def read_pull(self, body: bytes, terms: Terms) -> Pulled:
        """A page, in the words of the webhook."""
        del terms
        return casso_api.read_pull(body)

    def call_as_provider(self, payment: Payment, terms: Terms, now: datetime) -> Call:
        """The webhook about a movement; ValueError for what is neither credit nor debit."""
        return casso_acting.webhook(payment, terms, now)

    def accepts(self, status: int, body: bytes) -> bool:
        """Whether Casso takes the answer as done (unverified)."""
        return casso_acting.accepts(status, body)

    def serve_as_provider(self, call: Call, shop: Shop, terms: Terms, now: datetime) -> Answer:
        """The list of transactions."""
        del now
        return casso_acting.serve(call, shop, terms)


ADAPTER: Final = Casso()


def _proven(found: object, call: Call, terms: Terms) -> object | None:
    """The body as it was proven; None when it was not. ValueError when nested too deeply."""
    if terms.mode == V1:
        token = (call.header("secure-token") or "").strip(" ")
        return found if is_any_of(token, terms.secrets) else None
    if terms.mode != V2:
        return None
    stated, signatures = _header(call)
    if stated is None:
        return None
    tree = json_texts.with_sorted_keys(found)
    printed = json_texts.with_javascript_numbers(tree)
    # Numbers as they came, and then as JavaScript prints them; what is proven is what is read.
    for told in (tree, printed) if printed != tree else (tree,):
        for text in _readings(told):
            message = f"{stated}.{text}".encode()
            if any(is_signed(one, terms.secrets, [message], hmac_sha512) for one in signatures):
                return told
    return None


def _header(call: Call) -> tuple[str | None, Sequence[str]]:
    """The one `t` (as it came) and the `v1`s of X-Casso-Signature."""
    given = call.header("X-Casso-Signature") or ""
    pairs = [part.strip(" ").partition("=") for part in given.split(",")]
    stated = [value.strip(" ") for name, _, value in pairs if name.strip(" ") == "t"]
    given_ = [value.strip(" ") for name, _, value in pairs if name.strip(" ") == "v1"]
    signatures = [one for one in given_ if _SHA512.fullmatch(one)][:SIGNATURES_MAX]
    if len(stated) != 1 or not _TIMESTAMP.fullmatch(stated[0]) or not signatures:
        return None, ()
    return stated[0], signatures


def _readings(found: object) -> Iterator[str]:
    """The body as the samples' languages write it, the likeliest first, each text once.

    JavaScript's texts, ASCII alone, with `/` escaped (PHP) and with `& < >` escaped (Go); then
    with lists as JavaScript's sort leaves them.
    """
    plain = json_texts.compact(found)
    yield plain
    if not plain.isascii() or not _ESCAPED_SOMEWHERE.isdisjoint(plain):
        for escape in _OTHER_ESCAPES:
            text = json_texts.compact(found, escape)
            if text != plain:
                yield text
    as_objects = json_texts.with_lists_as_objects(found)
    if as_objects != found:
        yield json_texts.compact(as_objects)


def _is_fresh(call: Call, terms: Terms, now: datetime) -> bool:
    """Always, unless the merchant's terms set a window."""
    window_s = terms.options.get("freshness_s")
    if not isinstance(window_s, int) or isinstance(window_s, bool) or window_s <= 0:
        return True
    stated, _ = _header(call)
    return stated is not None and abs(now.timestamp() - int(stated) / 1_000) <= window_s


def _movements(found: object) -> Sequence[Mapping[str, object]]:
    """The one movement of V2, or the list of V1; ValueError for anything else."""
    data = found.get("data") if isinstance(found, dict) else None
    told = data if isinstance(data, list) else [data]
    if len(told) > MOVEMENTS_MAX:
        raise ValueError("too many movements in one call")
    movements = [one for one in told if isinstance(one, dict)]
    if len(movements) != len(told):
        raise ValueError("no data")
    return movements


def _hint(found: object) -> Hint:
    """What an unbelieved body is about: its first movement."""
    try:
        claim = claim_of(_movements(found)[0])
    except (ValueError, IndexError):
        return Hint()
    return Hint(amount_vnd=claim.amount_vnd, transaction=claim.transaction, memo=claim.memo)
