"""How fast calls may go out: requests and tokens a minute, and the pause a server asks for."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from core.errors import Stopped

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]
ShouldStop = Callable[[], bool]

POLL = 0.2
"""Seconds between two looks at whether the person asked to stop, while waiting."""

_LATE = 0.02
"""A waiter that wakes this much late loses nothing of its turn."""


def never() -> bool:
    """Nobody asks to stop."""
    return False


async def pause(
    seconds: float, should_stop: ShouldStop, *, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep
) -> None:
    """Wait, looking up every :data:`POLL` seconds; raises :class:`core.errors.Stopped` when asked to stop."""
    until = clock() + seconds
    while True:
        if should_stop():
            raise Stopped
        left = until - clock()
        if left <= 0:
            return
        await sleep(min(left, POLL))


class RateLimits:
    """Even spacing by the generic cell rate algorithm: in any minute no more than the limits, and no bursts.

    Spaced and not counted by the minute, because providers also refuse what comes within one second (DashScope:
    a sixtieth of the minute's limit). None means no limit. One object serves all calls of a job, in turn.
    """

    def __init__(
        self,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        *,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._per_request = 60 / requests_per_minute if requests_per_minute else 0.0
        self._per_token = 60 / tokens_per_minute if tokens_per_minute else 0.0
        self._clock, self._sleep = clock, sleep
        self._next_request = self._next_token = self._paused_until = clock() - 1
        self._turn = asyncio.Lock()

    async def acquire(self, tokens: int = 0, *, should_stop: ShouldStop = never) -> None:
        """Wait for the turn of one request that may take ``tokens``; raises Stopped when asked to stop."""
        async with self._turn:
            while True:
                if should_stop():
                    raise Stopped
                now = self._clock()
                free = max(self._next_request, self._next_token, self._paused_until)
                if free <= now:
                    break
                await self._sleep(min(free - now, POLL))
            self._next_request = max(self._next_request, now - _LATE) + self._per_request
            self._next_token = max(self._next_token, now - _LATE) + tokens * self._per_token

    def settle(self, reserved: int, used: int) -> None:
        """Say what a request really took; the next ones wait longer or shorter for it."""
        self._next_token += (used - reserved) * self._per_token

    def hold(self, seconds: float) -> None:
        """Let nothing out for so long: what a server asks of one call holds for the whole account."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)
