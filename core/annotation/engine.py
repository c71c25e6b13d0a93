"""Many passages at once: bounded, stoppable, and nothing that was paid for is thrown away."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from core.annotation.failures import CallError
from core.errors import ProviderError, Stopped

T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class RunReport:
    """What a run came to; items that were never begun count nowhere. ``fatal`` is the failure that ended
    it, and then ``stopped`` is False even where waiting calls were called back."""

    done: int = 0
    failed: int = 0
    fatal: ProviderError | None = None
    stopped: bool = False


async def run(
    items: Sequence[T],
    work: Callable[[T], Awaitable[R]],
    *,
    concurrency: int,
    on_done: Callable[[T, R | ProviderError], None],
    should_stop: Callable[[], bool] = lambda: False,
) -> RunReport:
    """Do ``work`` on each item, at most ``concurrency`` at once, and give each result or failure to ``on_done``.

    A fatal failure and ``should_stop`` begin nothing new; what is under way is awaited and recorded, never cancelled.
    Work that raises Stopped (while it waited) leaves its item as it was. Any other exception, of ``work`` or
    ``on_done``, is raised after what was under way is recorded.
    """
    report = RunReport()
    waiting: Iterator[object] = iter(items)
    end = object()
    halted = False

    async def one(item: T) -> None:
        nonlocal halted
        outcome: R | ProviderError
        try:
            outcome = await work(item)
        except Stopped:
            report.stopped = halted = True
            return
        except ProviderError as error:
            outcome = error
            report.failed += 1
            if isinstance(error, CallError) and error.fatal:
                report.fatal = report.fatal or error
                halted = True
        else:
            report.done += 1
        on_done(item, outcome)

    async def worker() -> None:
        nonlocal halted
        try:
            while not halted and (item := next(waiting, end)) is not end:
                if should_stop():
                    report.stopped = halted = True
                    return
                await one(cast(T, item))
        except BaseException:
            halted = True  # at once: before anybody else begins something new
            raise

    workers = [asyncio.create_task(worker()) for _ in range(max(1, min(concurrency, len(items))))]
    try:
        await asyncio.wait(workers)
    finally:
        for task in workers:
            task.cancel()  # only where this run was itself cancelled is there anything left
        results = await asyncio.gather(*workers, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    report.stopped = report.stopped and report.fatal is None
    return report


def request_key(base_url: str, model: str, messages: Sequence[Mapping[str, str]], parameters: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of a request as canonical JSON: the same request has the same key on every machine."""
    request = {
        "base_url": base_url,
        "model": model,
        "messages": [dict(message) for message in messages],
        "parameters": dict(parameters),
    }
    canonical = json.dumps(request, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()
