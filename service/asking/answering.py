"""Ask a provider one thing and read its answer: claims, or a problem in a few words.

Knows no database. What is said of a problem holds nothing of the answer but the provider's code.
"""

import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec
import structlog

from providers import Call, Rejected, SignedRequest, Unanswered
from service.outbound import CircuitOpen, Crowded, Outbound, Reply, Unreachable

ANSWER: Final = "ANSWER"
"""The method of a call that no provider made: the answer to a request of ours."""
CODE: Final = re.compile(r"[^0-9A-Za-z_.-]")
CODE_CHARS_MAX: Final = 40

Read = TypeVar("Read")

log = structlog.get_logger(__name__)


class NoAnswer(Exception):
    """Why there is no answer that can be believed, in words for operators."""

    def __init__(self, why: str, *, unsent: bool = False, unmade: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.unsent = unsent
        """The provider is left alone, or crowded: nothing was sent, and it will be before long."""
        self.unmade = unmade
        """With what was agreed there is nothing to send."""


async def ask(
    outbound: Outbound,
    provider: str,
    make: Callable[[], SignedRequest],
    read: Callable[[bytes], Read],
    *,
    repeatable: bool = False,
) -> tuple[Read, Call]:
    """What the provider says, and the exact answer as a call; raises NoAnswer.

    Whatever an adapter does with an odd answer, the caller goes on with the next question.
    """
    try:
        request = make()
    except ValueError as odd:
        raise NoAnswer(f"it cannot be asked: {odd}", unmade=True) from None
    try:
        reply = await outbound.send(provider, request, repeatable=repeatable)
        said = read(reply.body)
    except (CircuitOpen, Crowded) as closed:
        raise NoAnswer(str(closed), unsent=True) from None
    except (Unreachable, Unanswered) as error:
        raise NoAnswer(problem(error)) from None
    except Rejected as rejected:
        raise NoAnswer(f"{problem(rejected)}{_status(reply)}") from None
    except Exception as defect:
        log.exception("asking.defect", provider=provider)
        raise NoAnswer(f"defect: {type(defect).__name__}") from None
    if said and not HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
        # Unsigned answers are believed for the connection's sake: one that says "error" is none.
        raise NoAnswer(f"http {reply.status}")
    return said, call_of(request, reply)


def problem(error: Unreachable | Unanswered | Rejected) -> str:
    """Why there is no answer, in words of ours: those of a provider may name people."""
    if isinstance(error, Unanswered):
        return f"the provider's code {CODE.sub('', error.code)[:CODE_CHARS_MAX]}"
    if isinstance(error, Rejected):
        return f"the answer is {error.why}: {error.detail}"
    return f"no reply: {error}"


def call_of(request: SignedRequest, reply: Reply) -> Call:
    """The answer as it is kept: where it came from, without query or keys, and its exact bytes."""
    return Call(method=ANSWER, path=urlsplit(request.url).path or "/", body=reply.body)


def part_of(call: Call, position: int) -> Call:
    """The `position`-th part of a long answer, whose bytes are kept with the first one."""
    if position == 0:
        return call
    return msgspec.structs.replace(call, headers=(("X-Part", str(position + 1)),), body=b"")


def parts(claims: Sequence[Read], size: int) -> list[Sequence[Read]]:
    """`claims` in pieces of at most `size`."""
    return [claims[first : first + size] for first in range(0, len(claims), size)]


def _status(reply: Reply) -> str:
    return "" if reply.status == HTTPStatus.OK else f" (http {reply.status})"
