"""`demo.json`: where a running demo is, and the keys to it. Mode 0600: it opens everything."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

import msgspec

from providers.contract import Option

NAME: Final = "demo.json"
BANK_NAME: Final = "demo-bank.jsonl"


class DemoProblem(Exception):
    """The demo or the simulator cannot go on; the message says why and what to do."""

    for_people: ClassVar[bool] = True
    """The command line prints the message alone."""


class DemoStaff(msgspec.Struct, frozen=True, kw_only=True):
    """A login of the demo."""

    username: str
    password: str
    role: str


class DemoMerchant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A merchant of the demo with its secrets; `account` is the bank account it watches."""

    merchant: str
    secrets: list[str]
    mode: str = ""
    credentials: dict[str, str] = {}
    settings: dict[str, Option] = {}
    account: str = ""
    others: "list[DemoMerchant]" = []


class DemoFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a demo tells its users: address, key, logins, merchants by provider."""

    base_url: str
    one_stop_api_key: str
    webhook_secret: str
    staff: list[DemoStaff]
    merchants: Mapping[str, DemoMerchant]

    def merchants_of(self, provider: str) -> list[DemoMerchant]:
        """All merchants at a provider."""
        first = self.merchants[provider]
        return [first, *first.others]

    def login(self, role: str) -> DemoStaff:
        """The account of a role."""
        return next(one for one in self.staff if one.role == role)


def read(path: Path) -> DemoFile:
    """The file of a demo; raises DemoProblem where there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=DemoFile)
    except OSError as error:
        raise DemoProblem(f"{path} cannot be read ({error.strerror}). Start `make demo`.") from None
    except msgspec.DecodeError as error:
        raise DemoProblem(f"{path} is not the file of a demo: {error}") from None


def find(path: Path) -> DemoFile | None:
    """The file of a demo; None where there is none yet."""
    return read(path) if path.exists() else None


def write(path: Path, demo: DemoFile) -> None:
    """Write the file whole, readable for its owner alone."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(demo), indent=2) + b"\n")
    draft.replace(path)
