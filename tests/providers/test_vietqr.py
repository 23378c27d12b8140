"""VietQR payloads: recorded ones are read as recorded; what is written is read back the same."""

import binascii

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.vietqr import QrPayload, Transfer, UnreadableQr, read, write
from tests.providers.recorded import Vector, vectors

VECTORS = vectors("vietqr")
TRANSFER = Transfer(
    bin="970436", account="0161001234567", amount_vnd=50_000, purpose="HUE007K2M9Q4X1"
)
REBUILT = [
    vector
    for vector in VECTORS
    if vector.expect.valid and vector.name.startswith(("gold", "built"))
]
WHYS = {"malformed", "bad_crc", "bad_amount", "bad_currency", "bad_account"}
"""Why a payload is not read, in our words; recordings may have finer ones for what is malformed."""


def checked(body: str) -> str:
    """`body` with its check value."""
    return f"{body}6304{binascii.crc_hqx(f'{body}6304'.encode(), 0xFFFF):04X}"


def why(payload: str) -> str:
    """Why a payload is refused."""
    with pytest.raises(UnreadableQr) as unreadable:
        read(payload)
    return unreadable.value.why


@pytest.mark.parametrize("vector", VECTORS, ids=[vector.name for vector in VECTORS])
def test_a_recorded_payload_gets_its_verdict(vector: Vector) -> None:
    """Published, built and broken payloads are read or refused as recorded."""
    expect = vector.expect
    assert vector.kind == "qr_payload"
    if not expect.valid:
        found = why(vector.body or "")
        assert expect.reason not in WHYS or found == expect.reason
        return
    assert read(vector.body or "") == QrPayload(
        init_method=expect.init_method,
        bin=expect.bin,
        account=expect.account,
        service=expect.service,
        amount_vnd=expect.amount_vnd,
        purpose=expect.purpose,
        bill_number=expect.order_id,
    )
    assert read(vector.body or "").is_vietqr == (expect.reason != "not_vietqr")


@pytest.mark.parametrize("vector", REBUILT, ids=[vector.name for vector in REBUILT])
def test_a_published_payload_is_written_again(vector: Vector) -> None:
    """The same transfer gives the same payload, up to the texts we would never write."""
    found = read(vector.body or "")
    transfer = Transfer(
        bin=found.bin or "",
        account=found.account or "",
        amount_vnd=found.amount_vnd,
        service="QRIBFTTC" if found.service == "QRIBFTTC" else "QRIBFTTA",
        bill_number=found.bill_number or "",
        purpose=(found.purpose or "").upper(),
    )
    written = write(transfer)
    assert written[:-4].upper() == (vector.body or "")[:-4].upper()
    if transfer.purpose == (found.purpose or ""):
        assert written == vector.body


@given(
    bin_=st.from_regex(r"[0-9]{6}", fullmatch=True),
    account=st.from_regex(r"[0-9A-Za-z]{1,19}", fullmatch=True),
    amount_vnd=st.none() | st.integers(1, 10**13 - 1),
    purpose=st.from_regex(r"[A-Z0-9 ]{0,25}", fullmatch=True),
)
def test_what_is_written_is_read_back(
    bin_: str, account: str, amount_vnd: int | None, purpose: str
) -> None:
    """Account, amount and purpose survive; the payload is ASCII."""
    transfer = Transfer(bin=bin_, account=account, amount_vnd=amount_vnd, purpose=purpose)
    payload = write(transfer)
    found = read(payload)
    assert payload.isascii()
    assert (found.bin, found.account, found.amount_vnd) == (bin_, account, amount_vnd)
    assert (found.purpose or "") == purpose
    assert found.init_method == ("11" if amount_vnd is None else "12")


def test_a_changed_character_is_never_another_transfer() -> None:
    """Each changed character is refused, or changes nothing that matters."""
    payload = write(TRANSFER)
    for at in range(len(payload)):
        for other in "0A9a":
            changed = payload[:at] + other + payload[at + 1 :]
            try:
                found = read(changed)
            except UnreadableQr:
                continue
            assert found == read(payload)


@pytest.mark.parametrize(
    "changed",
    [
        {"bin": "97043"},
        {"bin": "97043X"},
        {"account": ""},
        {"account": "0161 001"},
        {"account": "1" * 20},
        {"amount_vnd": 0},
        {"amount_vnd": -1},
        {"amount_vnd": 10**13},
        {"purpose": "x" * 26},
        {"purpose": "nop le phi"},
        {"purpose": "LỆ PHÍ"},
        {"purpose": "A\n"},
        {"bill_number": "A-1"},
    ],
)
def test_what_an_app_might_change_is_not_written(changed: dict[str, object]) -> None:
    """Only what every banking app carries unchanged is put into a payload."""
    with pytest.raises(ValueError, match=r"."):
        write(msgspec.structs.replace(TRANSFER, **changed))


BODY = write(TRANSFER)[:-8]
MERCHANT = "38570010A00000072701270006970436011301610012345670208QRIBFTTA"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (BODY.replace("01270006", "01280006"), "malformed"),
        (BODY.replace("0113016", "0112016"), "malformed"),
        (BODY.replace("0006970436", "000697043X"), "bad_account"),
        (BODY.replace("QRIBFTTA", "QRIBFTTX"), "bad_account"),
        (BODY.replace("5303704", "5303840"), "bad_currency"),
        (BODY.replace("5802VN", "5802US"), "bad_currency"),
        (BODY.replace("540550000", "540550.50"), "bad_amount"),
        (BODY.replace("540550000", "5400"), "bad_amount"),
        (BODY.replace("540550000", "540500000"), "bad_amount"),
        (BODY + MERCHANT, "malformed"),
        (BODY[6:], "malformed"),
        (BODY.replace("000201", "000202"), "malformed"),
        (BODY + "9", "malformed"),
        (BODY + "80", "malformed"),
        ("", "malformed"),
    ],
)
def test_a_right_check_value_does_not_excuse_what_is_inside(body: str, reason: str) -> None:
    """Inner lengths, account, currency and amount are held as strictly as the check value."""
    assert MERCHANT in BODY
    assert why(checked(body)) == reason


@pytest.mark.parametrize("payload", ["", "6304", "000201", "0" * 600, BODY])
def test_what_is_no_payload_is_refused(payload: str) -> None:
    """Nothing, too much, and a text without check value are malformed."""
    assert why(payload) == "malformed"


@pytest.mark.parametrize("length", [12, 16])
def test_a_vietnamese_name_is_read_by_characters_or_by_bytes(length: int) -> None:
    """Both ways of counting are met in the field; the transfer is the same."""
    name = f"59{length:02}SỞ TƯ PHÁP X"
    assert len("SỞ TƯ PHÁP X") == 12
    assert len("SỞ TƯ PHÁP X".encode()) == 16
    assert read(checked(BODY + name)) == read(write(TRANSFER))


@given(st.text(max_size=80))
def test_noise_is_unreadable_and_nothing_worse(text: str) -> None:
    """Any text, with a right check value or without, is read or UnreadableQr."""
    for payload in (text, checked("000201" + text.encode("utf-8", "replace").decode())):
        try:
            found = read(payload)
        except UnreadableQr:
            continue
        assert found.bin is None or len(found.bin) == 6
