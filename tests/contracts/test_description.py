"""The committed description is the application's, and every refusal has its page and its place."""

import inspect
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from litestar import Litestar

from service.app import create_app
from service.errors import Refusal, every_refusal
from service.openapi import as_html, as_yaml, document
from service.problems import language_of
from service.settings import Settings
from service.web import problem_pages

ROOT = Path(__file__).parents[2]
NEVER_PLANNED = {"unexpected", "not-found", "method-not-allowed", "unsupported-media-type"}
"""What any address may answer, planned or not."""


@pytest.fixture(scope="module")
def app() -> Litestar:
    """The application; nothing is started."""
    return create_app(Settings())


@pytest.fixture(scope="module")
def described(app: Litestar) -> dict[str, Any]:
    """Its description."""
    return document(app)


def test_the_committed_description_is_the_generated_one(app: Litestar) -> None:
    """`doisoat openapi --output openapi.yaml` would change nothing."""
    assert (ROOT / "openapi.yaml").read_bytes() == as_yaml(app)


@pytest.mark.parametrize("kind", list(every_refusal()), ids=lambda kind: kind.code)
def test_each_refusal_has_a_page_in_both_languages(kind: type[Refusal]) -> None:
    """A code is unique, has titles in vi and en, and a page made from its docstring."""
    page = problem_pages.pages()[kind.code]
    assert (page.status, page.about) == (kind.status, inspect.getdoc(kind))
    assert kind.__doc__ != Refusal.__doc__
    assert page.title_vi != page.title_en
    for in_english in (True, False):
        shown = problem_pages.as_html(page, in_english=in_english)
        assert page.title_vi in shown
        assert f'lang="{"en" if in_english else "vi"}"' in shown


def test_codes_are_unique() -> None:
    """No two refusals share an address."""
    codes = [kind.code for kind in every_refusal()]
    assert len(codes) == len(set(codes))


def test_each_refusal_stands_in_the_description(app: Litestar) -> None:
    """A caller finds every planned code at the calls that may give it."""
    told = as_yaml(app).decode()
    planned = {kind.code for kind in every_refusal()} - NEVER_PLANNED
    assert [code for code in sorted(planned) if f"`{code}`" not in told] == []


def test_every_refusal_is_described_as_problem_json(described: dict[str, Any]) -> None:
    """Whatever is refused is application/problem+json of one shape."""
    for item in described["paths"].values():
        for operation in item.values():
            for status, answer in operation["responses"].items():
                if status >= "400":
                    assert list(answer["content"]) == ["application/problem+json"]


def test_money_is_whole_and_named(described: dict[str, Any]) -> None:
    """Every field that ends in _vnd is an integer, and nothing else is called money."""
    for schema in described["components"]["schemas"].values():
        for name, field in schema.get("properties", {}).items():
            if name.endswith("_vnd"):
                kinds = {one.get("type") for one in field.get("oneOf", [field])}
                assert kinds <= {"integer", "null"}, name
            assert "amount" not in name or name.endswith("_vnd"), name


def test_unknown_fields_are_refused_in_every_body(described: dict[str, Any]) -> None:
    """Each body of our own API says additionalProperties: false, as do the parts of it."""
    schemas = described["components"]["schemas"]
    for path, item in described["paths"].items():
        for operation in item.values():
            content = operation.get("requestBody", {}).get("content", {})
            if path.startswith("/callbacks/") or "application/json" not in content:
                continue
            name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert schemas[name]["additionalProperties"] is False, name
    assert schemas["NewFeeItem"]["additionalProperties"] is False


def test_the_page_of_the_description_needs_no_network(described: dict[str, Any]) -> None:
    """/docs names every call and loads nothing."""
    page = as_html(described)
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    for item in described["paths"].values():
        for operation in item.values():
            assert f'id="{operation["operationId"]}"' in page


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "vi"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("vi,en;q=0.9", "vi"),
        ("en;q=0.5, vi;q=0.7", "vi"),
        ("vi;q=0, en;q=0.1", "en"),
        ("fr", "vi"),
        (";;;q=,=", "vi"),
        ("en;q=2", "vi"),
        ("é" * 500, "vi"),
    ],
)
def test_vietnamese_comes_first(header: str, language: str) -> None:
    """English only where it is wanted more."""
    assert language_of(header) == language


@pytest.mark.anyio
async def test_titles_follow_the_reader(app: Litestar) -> None:
    """An answer without a route has a title in the reader's language, and its own media type."""
    transport = httpx2.ASGITransport(app=app)  # type: ignore[arg-type] # Litestar's own ASGI types
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        vi = await client.get("/nowhere")
        en = await client.get("/nowhere", headers={"Accept-Language": "en"})
        put = await client.put("/health/live")
    assert (vi.json()["title"], en.json()["title"]) == ("Không tìm thấy", "Not found")
    assert vi.headers["content-type"] == "application/problem+json"
    assert (put.status_code, put.json()["type"]) == (405, "/problems/method-not-allowed")
    assert "GET" in put.headers["allow"]
    assert msgspec.json.decode(vi.content)["status"] == 404
