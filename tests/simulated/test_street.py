"""Several simulated providers behind one address, as the demo has them."""

import re
from datetime import UTC, datetime

import httpx2
import pytest

from providers.acting import Order
from service.dev.provider.serving import Plan
from service.dev.provider.street import street
from tests.faults.serving import free_port
from tests.providers.spoken import SPOKEN

pytestmark = pytest.mark.anyio
CODE = "HUE010000000000"
NOBODY = "http://127.0.0.1:9"


async def test_each_provider_is_below_its_own_name() -> None:
    """A page's button leads to the provider it belongs to; under no other name is anybody."""
    port = free_port()
    wanted = {one.provider: one.terms for one in SPOKEN if one.provider in {"momo", "vnpay"}}
    plans = [
        Plan(provider=name, terms=terms, callback_base=NOBODY, port=port)
        for name, terms in wanted.items()
    ]
    base_url = f"http://127.0.0.1:{port}"
    async with street(plans) as there, httpx2.AsyncClient(base_url=base_url) as client:
        assert sorted(there) == ["momo", "vnpay"]
        momo = there["momo"].actor
        momo.open(Order(order_code=CODE, amount_vnd=50_000, opened_at=datetime.now(UTC)))
        page = await client.get(f"/momo/pages/{CODE}")
        form = re.search(r'<form method="post" action="([^"]+)"', page.text)
        assert form is not None
        assert form[1] == f"/momo/pages/{CODE}"
        paid = await client.post(form[1], data={"action": "pay"})
        assert paid.status_code == 200
        assert [one.amount_vnd for one in momo.shop.of_order(CODE)] == [50_000]
        assert there["vnpay"].actor.shop.payments == []
        assert (await client.get(f"/vnpay/pages/{CODE}")).status_code == 404
        assert (await client.get(f"/pages/{CODE}")).status_code == 404
