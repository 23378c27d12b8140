"""Work that a call has started and that outlives its answer; a stop ends it, a start resumes it.

Whatever runs here must be safe to be killed at any point: nothing else remembers it.
"""

import asyncio
from collections.abc import Coroutine
from typing import Final

import structlog
from litestar.datastructures import State

TASKS_MAX: Final = 100
"""More than this waits for the worker, which finds unfinished work by itself."""

AT_ONCE: Final = 2
"""A run takes two pooled connections at a time; calls and callbacks need the others."""

log = structlog.get_logger(__name__)


class Background:
    """A bounded set of named tasks of one process, a few of them at work at once."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    def start(self, name: str, work: Coroutine[object, object, object]) -> bool:
        """Begin `work` unless that name is running or too much is; says whether it began."""
        if name in self._tasks or len(self._tasks) >= TASKS_MAX:
            work.close()
            return False
        task = asyncio.create_task(self._guard(name, work), name=name)
        self._tasks[name] = task
        task.add_done_callback(lambda _: self._tasks.pop(name, None))
        return True

    async def _guard(self, name: str, work: Coroutine[object, object, object]) -> None:
        try:
            async with self._slots:
                await work
        except Exception:  # whatever it was, it is told, and resumed at the next start
            log.exception("background_work_failed", task=name)

    async def settled(self) -> None:
        """Wait until nothing runs any more."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def stop(self) -> None:
        """Cancel what runs and wait for it; an import or run goes on at the next start."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def background_of(state: State) -> Background:
    """The application's background work; made at first use."""
    found = state.get("background")
    if not isinstance(found, Background):
        found = state.background = Background()
    return found
