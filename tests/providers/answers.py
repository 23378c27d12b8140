"""What each provider must be answered, for every outcome: the expectations, not the code's table.

Where a provider's page is silent the choice is ours: ZaloPay hears about an unknown order 0 at
first and 2 in the end; statuses of HTTP for what is refused are MoMo's, payOS', Casso's ours.
"""

import json
from collections.abc import Mapping
from typing import Final

from providers import Answer, Outcome

ECHOED: Final = "<echo of the request>"
"""Stands for a field that comes back as it was sent."""

Expected = tuple[int, str, object]
"""HTTP status, media type ("" where there is no body), body: what of a JSON object must be there,
a whole text, or None for whatever it says."""

DONE: Final = (
    Outcome.BOOKED,
    Outcome.NOTED,
    Outcome.REPEAT_OF_PAID,
    Outcome.REPEAT,
    Outcome.ANOTHER_FOR_PAID,
    Outcome.UNKNOWN_ORDER,
    Outcome.UNKNOWN_AGAIN,
    Outcome.AMOUNT_DIFFERS,
    Outcome.HELD,
    Outcome.TEST,
)
"""The outcomes after which most providers are to be content."""

JSON: Final = "application/json"
ECHO: Final = {
    "MaDoiTac": ECHOED,
    "MaThamChieu": ECHOED,
    "ThoiGianGD": ECHOED,
    "MaXacThuc": ECHOED,
}


def _by_code(name: str, codes: Mapping[Outcome, object]) -> Mapping[Outcome, Expected]:
    return {outcome: (200, JSON, {name: code}) for outcome, code in codes.items()}


def _by_status(
    done: Expected, refused: object, kept: Mapping[Outcome, int]
) -> Mapping[Outcome, Expected]:
    """One answer for "done", HTTP statuses for the rest; their bodies say `refused`."""
    media_type = JSON if isinstance(refused, dict) else ""
    return dict.fromkeys(DONE, done) | {
        outcome: (status, media_type, refused) for outcome, status in kept.items()
    }


HTTP: Final = {
    Outcome.FORGED: 401,
    Outcome.STALE: 401,
    Outcome.MALFORMED: 400,
    Outcome.TRY_AGAIN: 503,
}
SUCCESS: Final[Expected] = (200, JSON, {"success": True})
EMPTY: Final[Expected] = (204, "", "")
CONFIRM: Final = "text/plain"

ANSWERS: Final[Mapping[str, Mapping[Outcome, Expected]]] = {
    "vnpay": _by_code(
        "RspCode",
        {
            Outcome.BOOKED: "00",
            Outcome.NOTED: "00",
            Outcome.REPEAT_OF_PAID: "02",
            Outcome.REPEAT: "00",
            Outcome.ANOTHER_FOR_PAID: "02",
            Outcome.UNKNOWN_ORDER: "01",
            Outcome.UNKNOWN_AGAIN: "01",
            Outcome.AMOUNT_DIFFERS: "04",
            Outcome.HELD: "00",
            Outcome.FORGED: "97",
            Outcome.STALE: "97",
            Outcome.MALFORMED: "99",
            Outcome.TRY_AGAIN: "99",
            Outcome.TEST: "00",
        },
    ),
    "zalopay": _by_code(
        "return_code",
        {
            Outcome.BOOKED: 1,
            Outcome.NOTED: 1,
            Outcome.REPEAT_OF_PAID: 2,
            Outcome.REPEAT: 2,
            Outcome.ANOTHER_FOR_PAID: 2,
            Outcome.UNKNOWN_ORDER: 0,
            Outcome.UNKNOWN_AGAIN: 2,
            Outcome.AMOUNT_DIFFERS: 1,
            Outcome.HELD: 1,
            Outcome.FORGED: -1,
            Outcome.STALE: -1,
            Outcome.MALFORMED: -1,
            Outcome.TRY_AGAIN: 0,
            Outcome.TEST: 1,
        },
    ),
    "momo": _by_status(EMPTY, None, HTTP),
    "payos": _by_status(SUCCESS, None, HTTP),
    "casso": _by_status(SUCCESS, None, HTTP),
    "sepay": _by_status(SUCCESS, {"success": False}, HTTP),
    "dvcqg": {
        outcome: (200, JSON, {"MaLoi": "00" if outcome in DONE else "99"} | ECHO)
        for outcome in Outcome
    },
    "onepay": {
        outcome: (
            200,
            CONFIRM,
            "responsecode=1&desc=confirm-success"
            if outcome in DONE
            else "responsecode=0&desc=confirm-fail",
        )
        for outcome in Outcome
    },
    "sandbox": _by_status(EMPTY, None, HTTP),
}


def fits(answer: Answer, provider: str, outcome: Outcome, sent: bytes) -> None:
    """Hold the answer to a call with the body `sent` against what its provider must be told."""
    status, media_type, body = ANSWERS[provider][outcome]
    assert answer.status == status
    if media_type:
        assert answer.media_type.partition(";")[0] == media_type
    if isinstance(body, str):
        assert answer.body.decode() == body
    elif isinstance(body, dict):
        found = json.loads(answer.body)
        assert {name: found[name] for name in body} == {
            name: _echo(sent, name) if value == ECHOED else value for name, value in body.items()
        }


def _echo(sent: bytes, name: str) -> object:
    """What comes back of a field; of a body that cannot be read it is empty."""
    try:
        fields = json.loads(sent)
    except ValueError:
        return ""
    value = fields.get(name) if isinstance(fields, dict) else None
    return "" if value is None else value
