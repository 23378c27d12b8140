"""A call about what two people decide: one effect, one answer, and a refusal that is written down.

How something is proposed and decided is for the rooms that ask; here is what their calls share.
"""

from uuid import UUID

import msgspec
from litestar import Response
from litestar.datastructures import State

from service.access import Principal
from service.decisions.refused import remembering
from service.web.idempotency import Act, Once, Wire, answer, once


class Attempt(msgspec.Struct, frozen=True):
    """Somebody's call to do a step about a subject; `key` is their idempotency key."""

    caller: Principal
    subject_id: UUID
    step: str
    """The last part of the call's address."""
    data: msgspec.Struct
    key: str | None

    @property
    def route(self) -> str:
        """How the audit log and the remembered answer name the call."""
        return f"POST {self.subject_id}/{self.step}"


async def attempted(state: State, attempt: Attempt, act: Act, kind: type[Wire]) -> Response[Wire]:
    """Do it once, or give the answer it gave before; what is refused is written down as refused."""
    route = attempt.route
    call = Once(caller=attempt.caller.id, key=attempt.key, route=route, request=attempt.data)
    async with remembering(state.engine, attempt.caller, route, attempt.subject_id):
        return answer(await once(state.engine, state.sealer, call, act), kind)
