"""Everything the environment may decide: read once at start, passed down as one value.

Opens no connection and starts nothing. A name that nobody knows is an error, not silence.
"""

import base64
import binascii
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

import msgspec

PREFIX: Final = "DOISOAT_"
UNPREFIXED: Final = {
    "DATABASE_URL": "database_url",
    "MIGRATION_DATABASE_URL": "migration_database_url",
}
"""Names that every platform knows without a prefix."""
OF_COMMANDS: Final = "DOISOAT_MERCHANT_"
"""Keys that `doisoat merchants` reads by itself; no settings."""
FILE_SUFFIX: Final = "_FILE"
MASTER_KEY_BYTES: Final = 32
SECRET_FILE_SIZE_MAX_BYTES: Final = 65_536

WEAK_LIMIT_VND: Final = 2_000_000

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class SettingsProblem(Exception):
    """The environment asks for something impossible; the message names the setting."""

    for_people: ClassVar[bool] = True
    """The command line prints the message alone."""


class Secret(str):
    """A string that does not show itself in a traceback, a repr or a dump of the settings."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Show that there is something, and nothing of it."""
        return "Secret('…')" if self else "Secret('')"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the environment decides: DOISOAT_<NAME>, or a file named by DOISOAT_<NAME>_FILE."""

    database_url: Secret = Secret()
    """DATABASE_URL: PostgreSQL as the app role; empty starts a private server below `data_dir`."""
    migration_database_url: Secret = Secret()
    """MIGRATION_DATABASE_URL: the same database as the owner role, for `migrate` and `backup`."""
    master_key: Secret = Secret()
    """32 bytes in base64 that wrap all data keys; made in `data_dir` where that is private."""
    data_dir: Path = Path("var")
    """What a private installation keeps: database, master key, demo.json."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 8000
    """Port to listen on."""
    workers: Count = 1
    """Processes that serve; each has a pool of its own."""
    public_url: str = ""
    """How people and providers reach us, without a slash at the end; empty: http://host:port."""
    log: Literal["console", "json"] = "json"
    """Log lines for people or for machines."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least that is logged."""
    work_in_server: bool = True
    """`serve` also does what `doisoat work` does; switch it off where that runs on its own."""
    ask_providers: bool = True
    """Ask providers about payment requests that stay silent; off: only callbacks are heard."""
    pull_feeds: bool = True
    """Read the lists of bank feeds that have one; off: only their webhooks are heard."""
    metrics: bool = True
    """Serve /metrics."""

    pool_size: Annotated[int, msgspec.Meta(ge=2, le=200)] = 10
    """Database connections of one process."""
    pool_timeout_s: Count = 10
    """How long a request waits for a connection before it is told to come again."""
    statement_timeout_s: Count = 60
    """The longest any one statement may take."""
    lock_timeout_s: Count = 10
    """The longest any one statement waits for a lock."""

    body_size_max_bytes: Count = 1_000_000
    """The largest body of a call that is no file."""
    file_size_max_bytes: Count = 100_000_000
    """The largest statement or settlement file."""
    gateway_expiry_minutes: Annotated[int, msgspec.Meta(ge=5, le=1440)] = 30
    """How long a checkout link at a gateway may be paid."""
    transfer_expiry_days: Annotated[int, msgspec.Meta(ge=1, le=366)] = 30
    """How long a VietQR transfer may be made."""
    weak_limit_vnd: Annotated[int, msgspec.Meta(ge=0)] = WEAK_LIMIT_VND
    """Đồng above which a channel that proves nothing but a key pays only once another agrees."""
    second_checker_from_vnd: Count = 50_000_000
    """Refunds of this many đồng or more need two people who approve what a third one proposes."""
    remittance_rules: str = ""
    """A file of remittance calendars by fee, procedure and sector; empty: the built-in ones."""
    page_size_max: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200
    """The most rows of one page of a list."""
    shutdown_timeout_s: Count = 30
    """How long a stop waits for open requests and the open group."""

    @property
    def private(self) -> bool:
        """Whether the database is our own private server."""
        return not self.database_url

    @property
    def base_url(self) -> str:
        """The address that links and `demo.json` begin with."""
        return self.public_url or f"http://{self.host}:{self.port}"


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read settings from the environment.

    Raises SettingsProblem, naming the variable, for an unknown name, a value that does not fit, a
    variable given both directly and as a file, or a file that cannot be read.
    """
    found: dict[str, str] = {}
    for variable, value in environment.items():
        field, direct = _field_of(variable)
        if field is None:
            continue
        if field in found:
            raise SettingsProblem(f"{direct} and {direct}{FILE_SUFFIX} are both set; keep one.")
        found[field] = value if variable == direct else _read_file(variable, value)
    try:
        settings = msgspec.convert(found, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise SettingsProblem(_explain(str(error))) from None
    if settings.migration_database_url and settings.private:
        raise SettingsProblem("MIGRATION_DATABASE_URL is set, but DATABASE_URL is not.")
    if settings.master_key:
        _decoded_key(settings.master_key)
    return settings


def master_key(settings: Settings) -> bytes:
    """Give the 32 bytes that wrap all data keys.

    A private installation makes its own at first use, in a file of mode 0600. Raises
    SettingsProblem where a real database is used and no key was given.
    """
    if settings.master_key:
        return _decoded_key(settings.master_key)
    if not settings.private:
        raise SettingsProblem(
            f"DOISOAT_MASTER_KEY is not set: {MASTER_KEY_BYTES} random bytes in base64, or"
            " DOISOAT_MASTER_KEY_FILE. Without it nothing personal can be read or written."
        )
    path = settings.data_dir / "master.key"
    if not path.exists():
        _make_key_file(path)
    return _decoded_key(Secret(path.read_text().strip()))


def at_private_server(settings: Settings, app_url: str, owner_url: str) -> Settings:
    """Complete a private installation's settings with its started server and its own master key."""
    return msgspec.structs.replace(
        settings,
        database_url=Secret(app_url),
        migration_database_url=Secret(owner_url),
        master_key=Secret(base64.b64encode(master_key(settings)).decode()),
    )


def as_environment(settings: Settings) -> dict[str, str]:
    """Give the variables from which another process loads equal settings (secrets included)."""
    names = {field: variable for variable, field in UNPREFIXED.items()}
    return {
        names.get(field, PREFIX + field.upper()): str(getattr(settings, field)).lower()
        if isinstance(getattr(settings, field), bool)
        else str(getattr(settings, field))
        for field in settings.__struct_fields__
        if getattr(settings, field) not in {"", None}
    }


def _make_key_file(path: Path) -> None:
    """Write a new key whole, once, whoever else is trying."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(base64.b64encode(secrets.token_bytes(MASTER_KEY_BYTES)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first: its key counts
    finally:
        draft.unlink()


def _decoded_key(text: Secret) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != MASTER_KEY_BYTES:
        raise SettingsProblem(f"DOISOAT_MASTER_KEY must be {MASTER_KEY_BYTES} bytes in base64.")
    return key


def _field_of(variable: str) -> tuple[str | None, str]:
    """Give the field a variable sets and the direct name of it; (None, …) where it is not ours."""
    direct = variable.removesuffix(FILE_SUFFIX)
    if direct in UNPREFIXED:
        return UNPREFIXED[direct], direct
    if not variable.startswith(PREFIX) or variable.startswith(OF_COMMANDS):
        return None, variable
    field = direct.removeprefix(PREFIX).lower()
    if field not in Settings.__struct_fields__ or field in UNPREFIXED.values():
        raise SettingsProblem(f"{variable} is not a setting of doisoat.")
    return field, direct


def _read_file(variable: str, path: str) -> str:
    try:
        with Path(path).open(encoding="utf-8") as file:
            return file.read(SECRET_FILE_SIZE_MAX_BYTES).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsProblem(f"{variable}: {path} cannot be read ({error}).") from None


def _decode(kind: type[Any], value: object) -> object:
    if kind is Secret:
        return Secret(value)
    if issubclass(kind, Path):
        return Path(str(value))
    raise TypeError(f"no way to read a setting of type {kind.__name__}")


def _explain(message: str) -> str:
    """Turn "… - at `$.port`" into the name of the variable."""
    text, _, path = message.partition(" - at `$.")
    return f"{PREFIX}{path.rstrip('`').upper()}: {text}" if path else message
