"""Bodies of calls that fit, for tests to change one thing in."""

import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx2

TODAY = datetime.now(UTC).astimezone(timezone(timedelta(hours=7)))


def item(amount_vnd: object = 200_000, **changes: object) -> dict[str, Any]:
    """A fee item."""
    return {
        "code": "LLTP",
        "kind": "phi",
        "name": "Phí cung cấp thông tin lý lịch tư pháp",
        "amount_vnd": amount_vnd,
        "budget_subsection": "2721",
        "retained_percent": 85,
        **changes,
    }


def notice(*amounts_vnd: int, **changes: object) -> dict[str, Any]:
    """A fee notice of the first book."""
    return {
        "dossier_code": f"000.00.23.H57-{TODAY:%y%m%d}-0001",
        "procedure_code": "3.000333",
        "received_by": "000.00.23.H57",
        "decided_by": "H57.23",
        "collected_by": "H57.23",
        "channel": "online",
        "payer": {"name": "Nguyễn Thị Lựu", "subject_id": "C-001"},
        "items": [item(amount) for amount in amounts_vnd or (200_000,)],
        "due_on": "2026-12-31",
        **changes,
    }


async def recorded(
    client: httpx2.AsyncClient, *amounts_vnd: int, **changes: object
) -> dict[str, Any]:
    """A notice that was recorded."""
    answer = await client.post(
        "/v1/fee-notices",
        json=notice(*amounts_vnd, **changes),
        headers={"Idempotency-Key": uuid.uuid4().hex},
    )
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found
