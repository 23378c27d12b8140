"""Settings: what the environment may say, and what it may not."""

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from service.settings import (
    Secret,
    Settings,
    SettingsProblem,
    as_environment,
    at_private_server,
    load,
    master_key,
)

KEY = bytes(range(32))
KEY_TEXT = base64.b64encode(KEY).decode()


def test_nothing_set_is_a_private_installation() -> None:
    """An empty environment means a private database and the defaults."""
    settings = load({"PATH": "/bin", "PORT": "80"})
    assert settings == Settings()
    assert settings.private
    assert settings.base_url == "http://127.0.0.1:8000"


def test_values_get_their_types() -> None:
    """Text becomes numbers, booleans and paths."""
    settings = load(
        {
            "DATABASE_URL": "postgresql://app@db/doisoat",
            "DOISOAT_PORT": "81",
            "DOISOAT_METRICS": "false",
            "DOISOAT_DATA_DIR": "/srv/data",
            "DOISOAT_PUBLIC_URL": "https://pay.example.gov.vn",
        }
    )
    assert (settings.port, settings.metrics, settings.data_dir) == (81, False, Path("/srv/data"))
    assert not settings.private
    assert settings.base_url == "https://pay.example.gov.vn"


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"DOISOAT_POTR": "1"}, "DOISOAT_POTR"),
        ({"DOISOAT_DATABASE_URL": "x"}, "DOISOAT_DATABASE_URL"),
        ({"DOISOAT_PORT": "99999"}, "DOISOAT_PORT"),
        ({"DOISOAT_PORT": "eighty"}, "DOISOAT_PORT"),
        ({"DOISOAT_LOG": "xml"}, "DOISOAT_LOG"),
        ({"DOISOAT_MASTER_KEY": "c2hvcnQ="}, "DOISOAT_MASTER_KEY"),
        ({"DOISOAT_MASTER_KEY_FILE": "/nowhere"}, "DOISOAT_MASTER_KEY_FILE"),
        ({"DOISOAT_MASTER_KEY": "a", "DOISOAT_MASTER_KEY_FILE": "b"}, "DOISOAT_MASTER_KEY"),
        ({"MIGRATION_DATABASE_URL": "postgresql://o@db/d"}, "DATABASE_URL"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(environment: dict[str, str], named: str) -> None:
    """A misspelt name, a wrong value or a contradiction stops the start and names the variable."""
    with pytest.raises(SettingsProblem, match=named):
        load(environment)


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    """NAME_FILE reads a file, and the line's end is no part of the secret."""
    (tmp_path / "url").write_text("postgresql://app:s3cret@db/doisoat\n")
    settings = load({"DATABASE_URL_FILE": str(tmp_path / "url")})
    assert settings.database_url == "postgresql://app:s3cret@db/doisoat"


def test_secrets_do_not_show_themselves() -> None:
    """The repr of settings carries no password and no key."""
    settings = load({"DATABASE_URL": "postgresql://a:s3cret@db/d", "DOISOAT_MASTER_KEY": KEY_TEXT})
    assert "s3cret" not in repr(settings)
    assert KEY_TEXT not in repr(settings)
    assert repr(Secret()) == "Secret('')"


def test_a_given_master_key_is_used() -> None:
    """The key of the environment is the key."""
    assert master_key(load({"DOISOAT_MASTER_KEY": KEY_TEXT})) == KEY


def test_a_real_database_needs_a_master_key(tmp_path: Path) -> None:
    """No key is made up beside a database that is not our own."""
    settings = Settings(database_url=Secret("postgresql://a@db/d"), data_dir=tmp_path)
    with pytest.raises(SettingsProblem, match="DOISOAT_MASTER_KEY"):
        master_key(settings)
    assert list(tmp_path.iterdir()) == []


def test_a_private_installation_makes_one_key(tmp_path: Path) -> None:
    """Processes that start together agree on one key, in a file only its owner reads."""
    settings = Settings(data_dir=tmp_path / "var")
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: master_key(settings), range(16)))
    assert len(keys) == 1
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["master.key"]
    assert stat.S_IMODE((tmp_path / "var" / "master.key").stat().st_mode) == 0o600


def test_a_worker_process_loads_equal_settings(tmp_path: Path) -> None:
    """What one process settled, another reads from its environment, the private key included."""
    given = Settings(data_dir=tmp_path, port=81, metrics=False)
    settled = at_private_server(given, "postgresql://app@/d?host=/s", "postgresql://owner@/d")
    assert load(as_environment(settled)) == settled
    assert master_key(settled) == master_key(given)
    assert load(as_environment(given)) == given
