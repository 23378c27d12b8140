"""A page about each problem, made from its class: the address that `type` names."""

import html
import inspect
from typing import Annotated, Final, cast

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter

from service.access import ANYONE
from service.errors import NotFound, Refusal, every_refusal
from service.problems import language_of, refusals

TAGS: Final = ["problems"]
PAGE: Final = """<!doctype html>
<html lang="{language}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{code} – doisoat</title>
<style>body{{font:1rem/1.6 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem}}
code{{background:#eee;padding:0 .25em}}</style></head>
<body><main>
<p><code>{status} {code}</code></p>
<h1>{title}</h1>
<p lang="{other_language}">{other_title}</p>
<div lang="en">{about}</div>
</main></body></html>
"""


class ProblemPage(msgspec.Struct, frozen=True, kw_only=True):
    """What a problem means and what to do about it."""

    code: str
    status: int
    title_vi: str
    title_en: str
    about: str


def page_of(kind: type[Refusal]) -> ProblemPage:
    """The page of one refusal."""
    return ProblemPage(
        code=kind.code,
        status=kind.status,
        title_vi=kind.title_vi,
        title_en=kind.title_en,
        about=inspect.getdoc(kind) or "",
    )


def pages() -> dict[str, ProblemPage]:
    """All pages by code."""
    return {kind.code: page_of(kind) for kind in every_refusal()}


def as_html(page: ProblemPage, *, in_english: bool) -> str:
    """The page for a browser, in the reader's language first."""
    paragraphs = (" ".join(part.split()) for part in page.about.split("\n\n"))
    return PAGE.format(
        language="en" if in_english else "vi",
        other_language="vi" if in_english else "en",
        code=html.escape(page.code),
        status=page.status,
        title=html.escape(page.title_en if in_english else page.title_vi),
        other_title=html.escape(page.title_vi if in_english else page.title_en),
        about="".join(f"<p>{html.escape(part)}</p>" for part in paragraphs),
    )


@get(
    "/problems/{code:str}",
    operation_id="readProblem",
    summary="What a problem means",
    description="HTML for browsers, JSON for everybody else.",
    tags=TAGS,
    opt=ANYONE,
    responses=refusals(NotFound),
)
async def problem_page(
    code: Annotated[str, PathParameter(description="The last part of a problem's `type`.")],
    request: Request[object, object, State],
) -> Response[ProblemPage]:
    """Explain one problem."""
    page = pages().get(code)
    if page is None:
        raise NotFound
    headers = {"Vary": "Accept, Accept-Language"}
    if "text/html" in request.headers.get("accept", ""):
        in_english = language_of(request.headers.get("accept-language", "")) == "en"
        text = as_html(page, in_english=in_english)
        told = Response(text, media_type="text/html; charset=utf-8", headers=headers)
        return cast("Response[ProblemPage]", told)  # the same facts as HTML
    return Response(page, headers=headers)


ROUTES: Final[list[HTTPRouteHandler]] = [problem_page]
