"""What operators do with merchants: add, list, change, rotate, disable. Every change is audited.

Nothing is deleted, and no secret ever leaves. The history of a merchant is the audit log.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from providers.catalog import CATALOG
from providers.contract import OPTIONAL, Option, Provider
from service.access import audit
from service.merchants import MERCHANTS_MAX, SECRETS_MAX, Keys, NewMerchant, keeping
from service.merchants.settings import OWN_SETTINGS
from service.sealing import Sealer

Action: TypeAlias = Literal[
    "merchants.add", "merchants.change", "merchants.rotate", "merchants.finish",
    "merchants.credential", "merchants.disable",
]  # fmt: skip

SECRET_CHARS_MIN: Final = 8
SECRET_CHARS_MAX: Final = 4_096
OPTION_INT_MAX: Final = 2**53

HOLD = sa.text("""
    select id, provider, merchant, book_id, serves, mode, settings, secrets_sealed, secrets_since,
           created_at
    from service.merchant
    where provider = :provider and merchant = :merchant and disabled_at is null
    for update
""")

SAVE_KEYS = sa.text("""
    update service.merchant
    set secrets_sealed = :sealed, secrets_since = cast(:since as timestamptz[])
    where id = :id
""")

CHANGE = sa.text("""
    update service.merchant
    set serves = cast(:serves as integer[]), mode = :mode, settings = cast(:settings as jsonb)
    where id = :id
""")

DISABLE = sa.text("update service.merchant set disabled_at = :now where id = :id")

EVERYTHING = sa.text("""
    select provider, merchant, mode, book_id, serves, settings, created_at, disabled_at,
           secrets_since, secrets_sealed
    from service.merchant order by provider, merchant limit :limit
""")


class Unfit(ValueError):
    """What is asked for does not fit the provider or the merchant; says why in one sentence."""


class Name(NamedTuple):
    """A merchant as its callback address names it."""

    provider: str
    merchant: str

    def __str__(self) -> str:
        """As the address has it."""
        return f"{self.provider}/{self.merchant}"


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant as operators see it: no secret, no key."""

    provider: str
    merchant: str
    mode: str
    book_id: int
    serves: tuple[int, ...]
    secrets_since: tuple[datetime, ...]
    """One for each valid secret; the first one signs."""
    credentials: tuple[str, ...]
    options: Mapping[str, Option]
    weak: bool
    """Its calls prove nothing but a key."""
    disabled_at: datetime | None


def provider_of(name: str) -> Provider:
    """The adapter of this name; raises Unfit that names all there are."""
    if name not in CATALOG:
        raise Unfit(f"providers are: {', '.join(sorted(CATALOG))}")
    return CATALOG[name]


def needed(provider: Provider) -> frozenset[str]:
    """The further keys that every merchant of a provider has."""
    return frozenset(
        name for name, told in provider.credentials.items() if not told.startswith(OPTIONAL)
    )


def check_new(new: NewMerchant) -> None:
    """Whether a merchant fits its provider; raises Unfit with the first thing that does not."""
    provider = provider_of(new.provider)
    _check_agreed(provider, new.mode, new.settings)
    _check_credentials(provider, set(new.credentials))
    for secret in (*new.secrets, *new.credentials.values()):
        check_secret(secret)


def _check_agreed(provider: Provider, mode: str, settings: Mapping[str, Option]) -> None:
    if mode not in provider.modes:
        modes = ", ".join(sorted(one or "none" for one in provider.modes))
        raise Unfit(f"modes of {provider.name} are: {modes}")
    for name, value in settings.items():
        if name in provider.options:
            continue
        if name not in OWN_SETTINGS:
            raise Unfit(f"{provider.name} has no option {name}; {_described(provider.options)}")
        try:
            OWN_SETTINGS[name](name, value)
        except ValueError as slip:
            raise Unfit(str(slip)) from None


def _check_credentials(provider: Provider, given: set[str]) -> None:
    missing = sorted(needed(provider) - given)
    if missing:
        told = "; ".join(f"{name}: {provider.credentials[name]}" for name in missing)
        raise Unfit(f"{provider.name} also needs {told}")
    unknown = sorted(given - set(provider.credentials))
    if unknown:
        raise Unfit(f"{provider.name} has no credential {', '.join(unknown)}")


def _described(options: Mapping[str, str]) -> str:
    if not options:
        return "it has none"
    return "it has: " + "; ".join(f"{name} ({told})" for name, told in sorted(options.items()))


def check_secret(secret: str) -> None:
    """Raises Unfit for a secret that is surely a slip: empty, tiny, endless, or with edges."""
    if not SECRET_CHARS_MIN <= len(secret) <= SECRET_CHARS_MAX:
        raise Unfit(f"a key has {SECRET_CHARS_MIN} to {SECRET_CHARS_MAX} characters")
    if secret != secret.strip() or not secret.isprintable():
        raise Unfit("a key has no blanks around it and no control characters in it")


def option_of(text: str) -> tuple[str, Option]:
    """`name=value` as a setting: true and false, whole numbers without leading zeros, else text.

    Raises Unfit where there is no name.
    """
    name, separator, value = text.partition("=")
    if not separator or not name.strip():
        raise Unfit(f"an option is written name=value, not {text!r}")
    if value in {"true", "false"}:
        return name.strip(), value == "true"
    if value.isascii() and value.isdigit() and str(int(value)) == value:
        number = int(value)
        if number < OPTION_INT_MAX:
            return name.strip(), number
    return name.strip(), value


async def add(connection: AsyncConnection, sealer: Sealer, new: NewMerchant, now: datetime) -> int:
    """Add a merchant that fits its provider; its id. Raises Unfit."""
    check_new(new)
    merchant_id = await keeping.add(connection, sealer, new, now)
    detail: dict[str, str | int] = {"mode": new.mode, "secrets": len(new.secrets)}
    where = (Name(new.provider, new.merchant), new.book_id)
    await _record(connection, "merchants.add", where, detail, now)
    return merchant_id


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is said anew of a merchant; an empty setting is taken away, a book is added."""

    mode: str | None = None
    serves: Sequence[int] = ()
    settings: Mapping[str, Option] = {}


async def change(
    connection: AsyncConnection, sealer: Sealer, name: Name, told: Change, now: datetime
) -> None:
    """Change what was agreed on a merchant, but no key: its name can never be given again.

    Raises Unfit for what a new merchant would be refused for, and where nothing is said.
    """
    if told.mode is None and not told.serves and not told.settings:
        raise Unfit("nothing to change was said")
    provider = provider_of(name.provider)
    held = await _hold(connection, sealer, name)
    settings = {**held.settings, **told.settings}
    settings = {key: value for key, value in settings.items() if value not in {"", None}}
    mode = held.mode if told.mode is None else told.mode
    _check_agreed(provider, mode, settings)
    serves = sorted({*held.serves, *told.serves})
    row = {"id": held.id, "serves": serves, "mode": mode}
    await connection.execute(CHANGE, row | {"settings": msgspec.json.encode(settings).decode()})
    detail = {
        "mode": mode,
        "serves": ",".join(map(str, serves)),
        "settings": ",".join(sorted(told.settings)),
    }
    await _record(connection, "merchants.change", (name, held.book_id), detail, now)


class _Held(msgspec.Struct, frozen=True, kw_only=True):
    """A merchant with its keys under lock."""

    id: int
    book_id: int
    serves: Sequence[int]
    mode: str
    settings: Mapping[str, Option]
    keys: Keys
    since: list[datetime]


async def _hold(connection: AsyncConnection, sealer: Sealer, name: Name) -> _Held:
    found = await connection.execute(HOLD, name._asdict())
    row = found.one_or_none()
    if row is None:
        raise Unfit(f"there is no live merchant {name}")
    keys = keeping.open_keys(sealer, *name, row.secrets_sealed)
    since = list(row.secrets_since) or [row.created_at for _ in keys.secrets]
    return _Held(
        id=row.id,
        book_id=row.book_id,
        serves=tuple(row.serves),
        mode=row.mode,
        settings=row.settings,
        keys=keys,
        since=since,
    )


async def rotate(
    connection: AsyncConnection,
    sealer: Sealer,
    name: Name,
    secret: str,
    now: datetime,
    *,
    verify_only: bool = False,
) -> None:
    """Put a new secret beside the old one; both verify, the new one signs.

    `verify_only`: the old one goes on signing, for a provider that changes later. Raises Unfit
    while two are valid already.
    """
    check_secret(secret)
    held = await _hold(connection, sealer, name)
    secrets = held.keys.secrets
    if secret in secrets:
        raise Unfit("this secret is valid already")
    if len(secrets) >= SECRETS_MAX:
        raise Unfit(f"{name} has {SECRETS_MAX} valid secrets: finish that rotation first")
    if verify_only:
        keys, since = [*secrets, secret], [*held.since, now]
    else:
        keys, since = [secret, *secrets], [now, *held.since]
    await _save(connection, sealer, name, held, keys, since)
    detail = {"secrets": len(keys), "signs": "old" if verify_only else "new"}
    await _record(connection, "merchants.rotate", (name, held.book_id), detail, now)


async def finish(connection: AsyncConnection, sealer: Sealer, name: Name, now: datetime) -> None:
    """End a rotation: the older secret verifies no longer. Raises Unfit where there is one."""
    held = await _hold(connection, sealer, name)
    if len(held.keys.secrets) < SECRETS_MAX:
        raise Unfit(f"{name} has one valid secret: there is nothing to finish")
    newest = max(range(len(held.since)), key=lambda place: (held.since[place], -place))
    keys, since = [held.keys.secrets[newest]], [held.since[newest]]
    await _save(connection, sealer, name, held, keys, since)
    await _record(connection, "merchants.finish", (name, held.book_id), {"secrets": 1}, now)


async def rotate_credential(
    connection: AsyncConnection,
    sealer: Sealer,
    name: Name,
    credential: tuple[str, str],
    now: datetime,
) -> None:
    """Replace a further key of a merchant (name and value). Raises Unfit for one it has not."""
    which, value = credential
    check_secret(value)
    if which not in provider_of(name.provider).credentials:
        raise Unfit(f"{name.provider} has no credential {which}")
    held = await _hold(connection, sealer, name)
    credentials = {**held.keys.credentials, which: value}
    keys = msgspec.structs.replace(held.keys, credentials=credentials)
    sealed = keeping.seal_keys(sealer, *name, keys)
    await connection.execute(SAVE_KEYS, {"id": held.id, "sealed": sealed, "since": held.since})
    detail = {"credential": which}
    await _record(connection, "merchants.credential", (name, held.book_id), detail, now)


async def disable(
    connection: AsyncConnection, sealer: Sealer, name: Name, now: datetime
) -> tuple[int, int]:
    """End a merchant: its calls are answered 404 within seconds. Nothing is deleted.

    Its book and its id.
    """
    held = await _hold(connection, sealer, name)
    await connection.execute(DISABLE, {"id": held.id, "now": now})
    await _record(connection, "merchants.disable", (name, held.book_id), {}, now)
    return held.book_id, held.id


async def everything(connection: AsyncConnection, sealer: Sealer) -> list[Listed]:
    """All merchants, disabled ones too, without their keys."""
    found = []
    for row in await connection.execute(EVERYTHING, {"limit": MERCHANTS_MAX}):
        keys = keeping.open_keys(sealer, row.provider, row.merchant, row.secrets_sealed)
        since = row.secrets_since or [row.created_at for _ in keys.secrets]
        provider = CATALOG.get(row.provider)
        found.append(
            Listed(
                provider=row.provider,
                merchant=row.merchant,
                mode=row.mode,
                book_id=row.book_id,
                serves=tuple(row.serves),
                secrets_since=tuple(since),
                credentials=tuple(sorted(keys.credentials)),
                options=row.settings,
                weak=provider is not None and row.mode in provider.weak_modes,
                disabled_at=row.disabled_at,
            )
        )
    return found


async def _save(  # noqa: PLR0917 # one row of keys
    connection: AsyncConnection,
    sealer: Sealer,
    name: Name,
    held: _Held,
    secrets: Sequence[str],
    since: Sequence[datetime],
) -> None:
    keys = msgspec.structs.replace(held.keys, secrets=list(secrets))
    sealed = keeping.seal_keys(sealer, *name, keys)
    await connection.execute(SAVE_KEYS, {"id": held.id, "sealed": sealed, "since": list(since)})


async def _record(
    connection: AsyncConnection,
    action: Action,
    where: tuple[Name, int],
    detail: Mapping[str, str | int | bool | None],
    now: datetime,
) -> None:
    """What an operator with the command line did; that is nobody we know by name."""
    name, book_id = where
    deed = audit.Deed(
        actor_kind="system",
        actor="operator",
        action=action,
        outcome="allowed",
        book_id=book_id,
        subject=str(name),
        detail=detail,
    )
    await audit.record(connection, deed, now)
