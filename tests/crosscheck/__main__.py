"""`make crosscheck`: independent npm clients and our own side must agree, both ways.

Needs node, npm and, at first use, a registry that npm knows of. Status 1 where they disagree, or
where a client that is known to be wrong no longer is.
"""

import argparse
import asyncio
import sys

import httpx2
import msgspec

from service.dev.provider.serving import Plan, serving
from tests.crosscheck.node import Case, NoNode, install, run
from tests.crosscheck.signed_by_others import cases, record, spoken, wrong
from tests.crosscheck.signed_by_us import Check, asked_of_vnpay, checks, fits
from tests.faults.serving import free_port
from tests.providers.spoken import AMOUNT_VND, Spoken


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="crosscheck", description=__doc__)
    parser.add_argument("--record", action="store_true", help="write recorded.json anew")
    chosen = parser.parse_args()
    try:
        return asyncio.run(crosscheck(recording=chosen.record))
    except NoNode as problem:
        sys.stderr.write(f"crosscheck: {problem}\n")
        return 2


async def crosscheck(*, recording: bool) -> int:
    """Both ways; how many disagree, at most 1."""
    await install()
    (versions,) = await run([{"op": "versions"}])
    sys.stdout.write(", ".join(f"{name} {version}" for name, version in versions.items()) + "\n")
    told = await run(cases())
    if recording:
        record(told, versions)
    bad = 0
    for case, one in zip(cases(), told, strict=True):
        problem = wrong(case, one)
        bad += bool(problem)
        _say(f"we read what {case['op']} made", problem, "")
    made = checks()
    for check, one in zip(made, await run([check.case for check in made]), strict=True):
        bad += _judge(check, one)
    bad += await _against_simulators()
    sys.stdout.write(f"{len(told) + len(made)} and the simulators: {bad} disagree\n")
    return 1 if bad else 0


def _judge(check: Check, told: Case) -> int:
    problem = ""
    if not fits(check, told):
        problem = f"the client says {told}"
    elif not check.ours:
        problem = "our own side says otherwise"
    _say(check.title, problem, check.client_is_wrong)
    return bool(problem)


def _say(title: str, problem: str, known: str) -> None:
    verdict = f"DISAGREES: {problem}" if problem else "agrees"
    if known and not problem:
        verdict = f"the client is wrong, as known: {known}"
    sys.stdout.write(f"  {title}: {verdict}\n")


async def _against_simulators() -> int:
    """The clients open, ask and refund at simulated providers."""
    return await _vnpay(spoken("vnpay")) + await _payos(spoken("payos"))


def _plan(one: Spoken) -> Plan:
    return Plan(
        provider=one.provider,
        terms=one.terms,
        callback_base="http://127.0.0.1:9",
        port=free_port(),
    )


async def _vnpay(one: Spoken) -> int:
    async with serving(_plan(one)) as running:
        base_url = running.plan.base_url
        async with httpx2.AsyncClient(base_url=base_url, trust_env=False) as client:
            body = {"order_code": one.order_code, "amount_vnd": AMOUNT_VND, "quiet": True}
            await client.post("/control/pay", json=body)
        number = running.actor.shop.payments[0].transaction
        ask = asked_of_vnpay(one, base_url, vnp_TransactionNo=int(number))
        refund = asked_of_vnpay(
            one, base_url, vnp_RequestId="r1", vnp_TransactionNo=int(number),
            vnp_TransactionType="02", vnp_Amount=AMOUNT_VND, vnp_CreateBy="ketoan01",
            vnp_Version="2.1.0",
        )  # fmt: skip
        asked = Check(
            title="vnpay: querydr of the client at our simulated VNPAY",
            case={"op": "vnpay.querydr"} | ask,
            expected={"verified": True, "status": "00"},
        )
        refunded = Check(
            title="vnpay: refund of the client at our simulated VNPAY",
            case={"op": "vnpay.refund"} | refund,
            expected={"verified": False, "code": "00"},
            client_is_wrong="it divides vnp_Amount by 100 before it hashes the answer",
        )
        first, second = await run([asked.case, refunded.case])
        made = [item.amount_vnd for item in running.actor.shop.refunds.values()] == [AMOUNT_VND]
    return _judge(asked, first) + _judge(msgspec.structs.replace(refunded, ours=made), second)


async def _payos(one: Spoken) -> int:
    async with serving(_plan(one)) as running:
        common = {
            "secret": str.__str__(one.terms.secrets[0]),
            "host": running.plan.base_url,
            **{name: str.__str__(key) for name, key in one.terms.credentials.items()},
        }
        order = {
            "orderCode": int(one.order_code),
            "amount": AMOUNT_VND,
            "description": "HUE01",
            "returnUrl": "https://dichvucong.example/tra-ve",
            "cancelUrl": "https://dichvucong.example/huy",
        }
        opened = Check(
            title="payos: a link that the client opens at our simulated payOS",
            case={"op": "payos.create", **common, "data": order},
            expected={"amount": AMOUNT_VND, "orderCode": int(one.order_code)},
        )
        asked = Check(
            title="payos: the client asks our simulated payOS about it",
            case={"op": "payos.get", **common, "id": int(one.order_code)},
            expected={"status": "PENDING", "amount": AMOUNT_VND},
        )
        first, second = await run([opened.case, asked.case])
    return _judge(opened, first) + _judge(asked, second)


if __name__ == "__main__":
    sys.exit(main())
