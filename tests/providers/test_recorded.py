"""The reader of recorded requests: it takes what a recording may say, and passes nothing over."""

import json
from pathlib import Path

import pytest

from providers import Outcome, Secret
from tests.providers import recorded
from tests.providers.recorded import Context, Expected, Vector, acknowledged, vectors

TOLD = Expected(valid=True)


def with_ack(ack: dict[str, object]) -> Vector:
    """A call whose answer was recorded."""
    return Vector(name="x", kind="ipn", method="POST", expect=Expected(valid=True, ack=ack))


def test_keys_are_secrets_or_credentials_by_their_names() -> None:
    """Several keys of one name are all valid; what a request shows in its headers is its own."""
    vector = Vector(
        name="x",
        kind="create_request",
        method="POST",
        expect=TOLD,
        headers={"X-Client-Id": "client"},
        secrets={"checksum_key": ["new", "old"], "api_key": "key", "merchant": 17},
        provider="payos",
    )
    assert vector.terms.secrets == (Secret("new"), Secret("old"))
    assert vector.terms.credentials == {"api_key": "key", "client_id": "client"}
    assert vector.terms.merchant == "17"


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (None, Outcome.BOOKED),
        ("pending", Outcome.BOOKED),
        ("paid", Outcome.REPEAT_OF_PAID),
        ("already_recorded", Outcome.REPEAT),
        ("absent", Outcome.UNKNOWN_ORDER),
    ],
)
def test_the_state_of_the_order_decides_the_outcome(state: str | None, outcome: Outcome) -> None:
    """What the service knew of the order is what the recorded answer goes by."""
    vector = Vector(
        name="x", kind="ipn", method="POST", expect=TOLD, context=Context(order_state=state)
    )
    assert vector.outcome("paid", 50_000) is outcome


def test_a_state_that_is_not_known_is_not_passed_over() -> None:
    """A new word about the order fails until somebody says which answer it asks for."""
    vector = Vector(
        name="x", kind="ipn", method="POST", expect=TOLD, context=Context(order_state="frozen")
    )
    with pytest.raises(KeyError, match="frozen"):
        vector.outcome("paid", 50_000)


@pytest.mark.parametrize(
    ("ack", "body"),
    [
        ({"http_status": 200, "body": {"success": True}}, b'{"success": true, "more": 1}'),
        ({"http_status": 200, "body": '{"success":true}'}, b'{"success": true}'),
        ({"http_status": 200, "content_type": "application/json", "body": None}, b""),
        ({"success": True}, b'{"success":true}'),
        ({"http_status": 200, "body": "done"}, b"done"),
    ],
)
def test_an_answer_is_compared_as_it_is_meant(ack: dict[str, object], body: bytes) -> None:
    """JSON as a value, whether it was recorded as one or as its text; other text to the letter."""
    acknowledged(with_ack(ack), 200, "application/json; charset=utf-8", body)


@pytest.mark.parametrize(
    "ack",
    [
        {"http_status": 201, "body": {"success": True}},
        {"http_status": 200, "body": {"success": False}},
        {"http_status": 200, "body": '{"success":false}'},
        {"http_status": 200, "content_type": "text/plain", "body": {"success": True}},
        {"http_status": 200, "body": ""},
    ],
)
def test_another_answer_is_seen(ack: dict[str, object]) -> None:
    """Status, type and body each count."""
    with pytest.raises(AssertionError):
        acknowledged(with_ack(ack), 200, "application/json", b'{"success":true}')


def test_a_provider_may_have_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever follows the provider's name in the name of a file, its recordings are read."""
    row = {"name": "x", "kind": "ipn", "method": "POST", "expect": {"valid": True}}
    for name in ("dvcqg", "dvcqg_payment_platform"):
        (tmp_path / f"{name}.json").write_text(json.dumps([row]), encoding="utf-8")
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    assert [one.provider for one in vectors("dvcqg")] == ["dvcqg", "dvcqg"]
    assert vectors("payos") == []
