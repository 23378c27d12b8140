"""The terms a simulated provider acts with: out of a file, made at first use, or a demo's.

The file has mode 0600: with what is in it, calls can be signed that a service will believe.
"""

import ipaddress
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from providers import Secret, Terms
from providers.contract import Option
from service.dev.demo_file import DemoFile, DemoMerchant, DemoProblem
from service.dev.provider.actor import acting, money_status

SECRET_BYTES: Final = 24
MERCHANT_NUMBERS: Final = range(10_000_000, 100_000_000)
"""Eight digits: a name that every dialect takes, also ZaloPay's number."""


class Agreed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was agreed with a provider, as a file holds it; the first secret signs."""

    provider: str
    merchant: str
    secrets: list[str]
    mode: str = ""
    credentials: dict[str, str] = {}
    options: dict[str, Option] = {}

    @property
    def terms(self) -> Terms:
        """The same, as the adapters want it."""
        return Terms(
            merchant=self.merchant,
            secrets=tuple(Secret(text) for text in self.secrets),
            credentials={name: Secret(text) for name, text in self.credentials.items()},
            options=self.options,
            mode=self.mode,
        )


def of_file(path: Path, provider: str, callback_base: str, mode: str | None) -> Terms:
    """The terms in a file. Where there is none and the service is on this machine, it is made.

    DemoProblem where the file is of another provider or cannot be read, and where a service
    elsewhere is to be called without one: nobody simulates against a stranger by a slip.
    """
    if not path.exists():
        if not is_loopback(callback_base):
            raise DemoProblem(
                f"{path} does not exist, and {callback_base} is not on this machine. Write down"
                " the terms of the merchant that is to be simulated there."
            )
        made = fresh(provider, mode)
        _write(path, made)
        return made.terms
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Agreed)
    except OSError as error:
        raise DemoProblem(f"{path} cannot be read ({error.strerror}).") from None
    except msgspec.DecodeError as error:
        raise DemoProblem(f"{path} holds no terms: {error}") from None
    if found.provider != provider:
        raise DemoProblem(f"{path} holds the terms of {found.provider}, not of {provider}.")
    return found.terms


def of_demo(demo: DemoFile, provider: str, merchant: str) -> DemoMerchant:
    """The demo's merchant at a provider; DemoProblem where it has none (of that name)."""
    if provider not in demo.merchants:
        known = ", ".join(sorted(demo.merchants))
        raise DemoProblem(
            f"The demo has no merchant at {provider}; it has: {known}."
            " Give --callback-base to simulate without a demo."
        )
    found = demo.merchants_of(provider)
    for one in found:
        if merchant in {"", one.merchant}:
            return one
    known = ", ".join(one.merchant for one in found)
    raise DemoProblem(f"The demo has no merchant {merchant} at {provider}; it has: {known}")


def fresh(provider: str, mode: str | None = None) -> Agreed:
    """New terms with random keys; `mode` None takes the strongest this provider has."""
    adapter, acts = acting(provider)
    strong = sorted(adapter.modes - adapter.weak_modes) or sorted(adapter.modes)
    problem = DemoProblem(f"no terms for {provider}")
    for secret in _drawn():
        made = Agreed(
            provider=provider,
            merchant=str(secrets.choice(MERCHANT_NUMBERS)),
            secrets=[secret],
            mode=strong[0] if mode is None else mode,
            credentials={name: secrets.token_hex(SECRET_BYTES) for name in adapter.credentials},
        )
        try:
            money_status(adapter, acts, made.terms, datetime.now(UTC))
        except DemoProblem as failed:
            problem = failed
        else:
            return made
    raise problem


def is_loopback(address: str) -> bool:
    """Whether an address is on this machine, whatever names are served elsewhere."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _drawn() -> Iterator[str]:
    """A random key as most dialects write it, then as Standard Webhooks does."""
    yield secrets.token_hex(SECRET_BYTES).upper()
    yield f"whsec_{secrets.token_hex(SECRET_BYTES)}"


def _write(path: Path, made: Agreed) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise DemoProblem(f"{path} cannot be written ({error.strerror}).") from None
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n")
