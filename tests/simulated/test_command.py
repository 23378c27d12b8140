"""`doisoat simulate PROVIDER` as a process: whom it may act as, against whom, and that it stops."""

import json
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx2
import pytest

from providers.catalog import CATALOG
from service.dev.demo_file import DemoProblem
from service.dev.provider import agreed
from service.dev.provider.actor import acting, money_status
from tests.faults.serving import free_port
from tests.journeys.making import ROOT, command, environment, run
from tests.providers.spoken import NOW

UP_WITHIN_S: Final = 60.0
NOBODY: Final = "http://127.0.0.1:9"


@contextmanager
def simulating(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run the command on a free port until the end of the block; the address it listens on."""
    port = free_port()
    process = subprocess.Popen(
        command("simulate", *arguments, "--port", str(port)),
        env=environment(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    base_url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + UP_WITHIN_S
        while time.monotonic() < until:
            assert process.poll() is None, process.communicate()
            try:
                if httpx2.get(f"{base_url}/control/list", trust_env=False).is_success:
                    break
            except httpx2.TransportError:
                time.sleep(0.05)
        yield process, base_url
    finally:
        process.kill()
        process.communicate()


def test_it_serves_alone_with_terms_it_made(tmp_path: Path) -> None:
    """Against a service on this machine it makes terms at first use, for their owner alone."""
    terms = tmp_path / "momo.json"
    arguments = ("momo", "--callback-base", NOBODY, "--terms", str(terms), "--loss", "1")
    with simulating(*arguments) as (process, base_url):
        assert stat.S_IMODE(terms.stat().st_mode) == 0o600
        made = json.loads(terms.read_text())
        listed = httpx2.get(f"{base_url}/control/list", trust_env=False).json()
        assert (listed["provider"], listed["merchant"]) == ("momo", made["merchant"])
        assert listed["knobs"]["loss"] == 1
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=UP_WITHIN_S)
        assert process.returncode == 0
        assert f"api_address={base_url}" in told
        assert str(made["secrets"][0]) not in told
    with simulating(*arguments) as (_, base_url):
        again = httpx2.get(f"{base_url}/control/list", trust_env=False).json()
        assert again["merchant"] == made["merchant"]


def test_nobody_is_simulated_against_a_stranger_by_a_slip(tmp_path: Path) -> None:
    """A service elsewhere is called only with terms that somebody wrote down."""
    terms = tmp_path / "terms.json"
    told = run(
        ["simulate", "vnpay", "--callback-base", "https://doisoat.example", "--terms", str(terms)]
    )
    assert told.returncode == 2
    assert "not on this machine" in told.stderr
    assert not terms.exists()


def test_it_needs_a_demo_or_an_address(tmp_path: Path) -> None:
    """Without a demo's file and without an address nothing is served and nothing is called."""
    for more in ((), ("--reference", "HUE0100000000", "--amount", "1000")):
        missing = str(tmp_path / "demo.json")
        told = run(["simulate", "--demo", missing, "vnpay", *more])
        assert told.returncode == 2
        assert "make demo" in told.stderr


def test_a_call_without_an_amount_is_a_slip(tmp_path: Path) -> None:
    """A reference alone neither serves nor calls."""
    told = run(["simulate", "vnpay", "--reference", "HUE0100000000"])
    assert told.returncode == 2
    assert "--amount is missing" in told.stderr


def test_every_provider_is_a_command() -> None:
    """What stands in the catalogue can be simulated; nothing else can."""
    told = run(["simulate", "--help"])
    for name in CATALOG:
        assert f"\n  {name} " in told.stdout
    assert run(["simulate", "paypal"]).returncode == 2


@pytest.mark.parametrize("provider", CATALOG)
def test_fresh_terms_sign(provider: str) -> None:
    """Made terms are such that both sides of the dialect understand each other, and differ."""
    one, other = agreed.fresh(provider), agreed.fresh(provider)
    assert one.secrets != other.secrets
    adapter, acts = acting(provider)
    assert one.mode not in adapter.weak_modes
    assert money_status(adapter, acts, one.terms, NOW) in {"paid", "credit"}
    assert set(one.credentials) == set(adapter.credentials)


def test_terms_of_another_provider_are_refused(tmp_path: Path) -> None:
    """A file is for one provider, and must be one."""
    path = tmp_path / "terms.json"
    agreed.of_file(path, "momo", NOBODY, None)
    with pytest.raises(DemoProblem, match="holds the terms of momo"):
        agreed.of_file(path, "vnpay", NOBODY, None)
    path.write_text("{}")
    with pytest.raises(DemoProblem, match="holds no terms"):
        agreed.of_file(path, "momo", NOBODY, None)


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://[::1]:8000", True),
        ("http://localhost:8000", True),
        ("https://doisoat.example", False),
        ("http://localhost.example:8000", False),
        ("http://127.0.0.1.example", False),
        ("http://10.0.0.1", False),
        ("nonsense", False),
    ],
)
def test_what_is_on_this_machine(address: str, ours: bool) -> None:  # noqa: FBT001
    """Only loopback addresses are."""
    assert agreed.is_loopback(address) is ours
