"""The description of the API: Litestar's, made exact, and pages of it that need no network.

Litestar does not say that unknown fields are refused, writes bounds as 200.0, and adds a 400 of its
own to every call; this mends those, and names the credential each call needs.
"""

import html
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import msgspec
from litestar import Litestar, Response, Router, get
from litestar.connection import Request
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from typing_extensions import override

from service.access import ANYONE
from service.access.guard import OPT

VERSION: Final = "0.1.0"
SECURITY: Final = "bearer"
JSON_STARTS_AS: Final = "Bad request syntax"

# A document is JSON: its shape is the OpenAPI specification's, not ours.
Node: TypeAlias = dict[str, Any]


class ExactJson(JsonRenderPlugin):
    """The description as JSON; Litestar wants one way of its own to show it."""

    @override
    def render(self, request: Request[Any, Any, Any], openapi_schema: Node) -> bytes:
        """The mended description, not the one given."""
        return msgspec.json.encode(document(request.app))


CONFIG: Final = OpenAPIConfig(
    title="doisoat",
    version=VERSION,
    description=(
        "Đối soát thu phí, lệ phí thủ tục hành chính: what dossiers owe, what was paid, and what"
        " does not tie. Money is whole đồng in fields that end in `_vnd`; times carry their zone;"
        " errors are `application/problem+json`."
    ),
    components=Components(
        security_schemes={
            SECURITY: SecurityScheme(
                type="http",
                scheme="bearer",
                description="A key of `doisoat keys create`, or the token of `POST /v1/sessions`.",
            )
        }
    ),
    path="/schema",
    render_plugins=[ExactJson(path="/openapi.json")],
    openapi_router=Router("/schema", route_handlers=[], opt=ANYONE, include_in_schema=False),
)


def document(app: Litestar) -> Node:
    """The whole description as plain data."""
    described: Node = app.openapi_schema.to_schema()
    closed = {
        kind.__name__
        for kind in _subclasses(msgspec.Struct)
        if kind.__struct_config__.forbid_unknown_fields
    }
    for name, schema in described.get("components", {}).get("schemas", {}).items():
        if schema.get("title", name) in closed:
            schema["additionalProperties"] = False
    allowed = _allowed(app)
    for path, item in described["paths"].items():
        for method, operation in item.items():
            if isinstance(operation, dict):
                _mend(operation, allowed.get((path, method)))
    whole: Node = _whole_numbers(described)
    return whole


def as_yaml(app: Litestar) -> bytes:
    """The description as the file openapi.yaml."""
    return msgspec.yaml.encode(document(app))


def _mend(operation: Node, scopes: frozenset[str] | None) -> None:
    """One call: no 400 of Litestar's, and who may make it."""
    told = operation.get("responses", {})
    if told.get("400", {}).get("description", "").startswith(JSON_STARTS_AS):
        del told["400"]
    operation.pop("deprecated", None)
    for parameter in operation.get("parameters", []):
        for name in ("deprecated", "allowEmptyValue", "allowReserved"):
            parameter.pop(name, None)
        parameter["schema"] = _without_null(parameter["schema"])
    if scopes is None:
        operation["security"] = []
    else:
        operation["security"] = [{SECURITY: []}]
        operation["x-scopes"] = sorted(scopes)


def _without_null(schema: Node) -> Node:
    """A parameter's schema: one may leave it out, but an address cannot say null."""
    told = dict(schema)
    kinds = [kind for kind in told.pop("oneOf", []) if kind.get("type") != "null"]
    told |= kinds[0] if kinds else {}
    if isinstance(told.get("type"), list):
        (told["type"],) = (name for name in told["type"] if name != "null")
    if "enum" in told:
        told["enum"] = [value for value in told["enum"] if value is not None]
    return told


def _allowed(app: Litestar) -> dict[tuple[str, str], frozenset[str]]:
    """The scopes of each call that is not open to anyone, by path and method."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            scopes = handler.opt.get(OPT)
            if isinstance(scopes, frozenset):
                for method in handler.http_methods:
                    found[_template(route.path_components), method.lower()] = scopes
    return found


def _template(components: Any) -> str:  # noqa: ANN401 # Litestar's own path components
    """The path as the description writes it: `/v1/fee-notices/{notice_id}`."""
    parts = [one if isinstance(one, str) else f"{{{one.name}}}" for one in components]
    return "/" + "/".join(parts)


def _whole_numbers(node: Any) -> Any:  # noqa: ANN401 # any JSON
    """200.0 as 200, everywhere."""
    if isinstance(node, dict):
        return {key: _whole_numbers(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_whole_numbers(value) for value in node]
    return int(node) if isinstance(node, float) and node.is_integer() else node


def _subclasses(kind: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for child in kind.__subclasses__():
        yield child
        yield from _subclasses(child)


# ---------------------------------------------------------------- pages

PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>doisoat – API</title>
<style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
code,pre{{background:#f0f0f0;padding:0 .25em}}pre{{padding:.5em;overflow:auto}}
section{{border-top:1px solid #999;margin-top:1.5rem}}
th,td{{text-align:left;padding:.1rem 1rem .1rem 0;vertical-align:top}}</style>
</head><body><main><h1>doisoat – API {version}</h1><p>{about}</p>
<p><a href="/openapi.yaml">openapi.yaml</a></p><nav><ul>{contents}</ul></nav>{calls}
<h2>Messages</h2>{messages}</main></body></html>
"""


def as_html(described: Mapping[str, Any]) -> str:
    """The description as one page without scripts."""
    calls, contents = [], []
    for path, item in described["paths"].items():
        for method, operation in item.items():
            name = html.escape(operation["operationId"])
            title = f"{method.upper()} {html.escape(path)}"
            contents.append(f'<li><a href="#{name}"><code>{title}</code></a></li>')
            calls.append(_call(name, title, operation))
    messages = [
        f'<section id="schema-{html.escape(name)}"><h3>{html.escape(name)}</h3>'
        f"<pre>{html.escape(msgspec.yaml.encode(schema).decode())}</pre></section>"
        for name, schema in described.get("components", {}).get("schemas", {}).items()
    ]
    return PAGE.format(
        version=html.escape(described["info"]["version"]),
        about=html.escape(described["info"].get("description", "")),
        contents="".join(contents),
        calls="".join(calls),
        messages="".join(messages),
    )


def _call(name: str, title: str, operation: Node) -> str:
    """One call: what it takes, what it answers."""
    parameters = "".join(
        f"<tr><td><code>{html.escape(one['name'])}</code></td><td>{one['in']}</td>"
        f"<td>{html.escape(one.get('description', ''))}</td></tr>"
        for one in operation.get("parameters", [])
    )
    body = _links(operation.get("requestBody", {}))
    answers = "".join(
        f"<tr><td>{status}</td><td>{html.escape(told.get('description', ''))}</td>"
        f"<td>{_links(told)}</td></tr>"
        for status, told in operation["responses"].items()
    )
    scopes = ", ".join(operation.get("x-scopes", [])) or "–"
    return (
        f'<section id="{name}"><h2><code>{title}</code></h2>'
        f"<p><strong>{html.escape(operation.get('summary', ''))}</strong>"
        f" {html.escape(operation.get('description', ''))}</p>"
        f"<p>Scope: <code>{html.escape(scopes)}</code></p>"
        f"<table><caption>Parameters</caption>{parameters}</table><p>Body: {body or '–'}</p>"
        f"<table><caption>Answers</caption>{answers}</table></section>"
    )


def _links(told: Node) -> str:
    """Links to the messages that a body or an answer is made of."""
    found = []
    for media, content in told.get("content", {}).items():
        name = str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
        shown = f'<a href="#schema-{html.escape(name)}">{html.escape(name)}</a>' if name else ""
        found.append(f"<code>{html.escape(media)}</code> {shown}")
    return ", ".join(found)


@get("/openapi.yaml", opt=ANYONE, include_in_schema=False, media_type="application/yaml")
async def read_yaml(state: State, request: Request[object, object, State]) -> Response[bytes]:
    """The description of the API."""
    if not hasattr(state, "openapi_yaml"):
        state.openapi_yaml = as_yaml(request.app)
    return Response(state.openapi_yaml, media_type="application/yaml")


@get("/docs", opt=ANYONE, include_in_schema=False, media_type="text/html; charset=utf-8")
async def read_docs(state: State, request: Request[object, object, State]) -> Response[str]:
    """The description of the API as a page."""
    if not hasattr(state, "openapi_html"):
        state.openapi_html = as_html(document(request.app))
    return Response(state.openapi_html, media_type="text/html; charset=utf-8")


ROUTES: Final[list[HTTPRouteHandler]] = [read_yaml, read_docs]
