import asyncio

import pytest

from core.annotation.limits import RateLimits, pause
from core.errors import Stopped


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 1000.0

    def clock(self):
        return self.now

    async def sleep(self, seconds):
        self.now += max(seconds, 1e-6)
        await asyncio.sleep(0)


def limits(time, requests=None, tokens=None):
    return RateLimits(requests, tokens, clock=time.clock, sleep=time.sleep)


async def starts(time, limit, count, tokens=0):
    times = []

    async def one():
        await limit.acquire(tokens)
        times.append(time.now - 1000.0)

    await asyncio.gather(*(one() for _ in range(count)))
    return times


def test_requests_are_spaced_and_never_more_than_the_limit_in_a_minute():
    time = FakeTime()
    times = asyncio.run(starts(time, limits(time, requests=30), 95))
    assert times[0] == 0
    assert all(sum(1 for t in times if start <= t < start + 59.9) <= 30 for start in times)
    assert times[-1] == pytest.approx(94 * 2, abs=0.5)


def test_tokens_are_what_the_next_request_waits_for():
    time = FakeTime()
    times = asyncio.run(starts(time, limits(time, tokens=6000), 4, tokens=1000))
    assert times == pytest.approx([0, 10, 20, 30], abs=0.1)


def test_a_request_larger_than_the_limit_of_a_minute_goes_out_all_the_same():
    time = FakeTime()
    times = asyncio.run(starts(time, limits(time, tokens=1000), 2, tokens=5000))
    assert times == pytest.approx([0, 300], abs=0.1)


def test_settling_shortens_or_lengthens_the_wait():
    for used, expected in ((100, 1), (3000, 30)):
        time = FakeTime()
        limit = limits(time, tokens=6000)

        async def walk(limit=limit, used=used):
            await limit.acquire(1000)
            limit.settle(1000, used)
            await limit.acquire(1000)

        asyncio.run(walk())
        assert time.now - 1000 == pytest.approx(expected, abs=0.1)


def test_no_limit_means_no_wait():
    time = FakeTime()
    assert asyncio.run(starts(time, limits(time), 500, tokens=10**6)) == [0] * 500


def test_a_pause_that_a_server_asks_for_holds_for_everybody():
    time = FakeTime()
    limit = limits(time)

    async def walk():
        await limit.acquire()
        limit.hold(20)
        limit.hold(5)
        return await starts(time, limit, 3)

    assert asyncio.run(walk()) == pytest.approx([20, 20, 20], abs=0.3)


def test_whoever_waits_hears_the_stop_within_a_moment():
    time = FakeTime()
    limit = limits(time, requests=1)

    async def walk():
        await limit.acquire()
        asked = [limit.acquire(should_stop=lambda: time.now > 1003) for _ in range(5)]
        return await asyncio.gather(*asked, return_exceptions=True)

    assert [type(outcome) for outcome in asyncio.run(walk())] == [Stopped] * 5
    assert time.now < 1004
    with pytest.raises(Stopped):
        asyncio.run(pause(60, lambda: time.now > 1006, clock=time.clock, sleep=time.sleep))
    assert time.now < 1007
    asyncio.run(pause(3, lambda: False, clock=time.clock, sleep=time.sleep))
    assert time.now > 1009
