import asyncio
import importlib.util
from pathlib import Path

import pytest

from core.annotation.client import Backoff, ChatClient, FatalProviderError
from core.annotation.endpoints import endpoint_for
from core.annotation.engine import request_key, run
from core.errors import ProviderError

spec = importlib.util.spec_from_file_location("chat_server", Path(__file__).with_name("chat_server.py"))
chat_server = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chat_server)

QUICK = Backoff(first=0.01, cap=0.05, attempts=4, silent=2, unreachable=2)


def annotate(server, count, *, concurrency=4, model="m", should_stop=lambda: False, backoff=QUICK, **changed):
    """Run `count` passages against the server; gives the report and what was recorded for each."""
    recorded = {}

    def record(number, outcome):
        assert number not in recorded
        recorded[number] = outcome

    async def walk():
        endpoint = endpoint_for("local", base_url=server.base_url, model=model, **changed)
        async with ChatClient(endpoint, "none", backoff=backoff) as client:

            async def work(number):
                messages = [{"role": "user", "content": f"<原文-1>\n第{number}段：德寿宫在望仙桥东\n</原文-1>"}]
                return await client.ask(messages, 10, should_stop=should_stop)

            return await run(range(count), work, concurrency=concurrency, on_done=record, should_stop=should_stop)

    return asyncio.run(walk()), recorded


def test_every_passage_is_asked_once_and_recorded_once():
    with chat_server.ChatServer(latency=0.01) as server:
        report, recorded = annotate(server, 50, concurrency=8)
        assert (report.done, report.failed, report.fatal, report.stopped) == (50, 0, None, False)
        assert sorted(recorded) == list(range(50))
        assert len(server.calls) == 50
        assert 2 <= server.most_in_flight <= 8


def test_failures_of_single_passages_leave_the_others_alone():
    rules = {"第3段": "inspection", "第5段": "cut", "第7段": "503*2", "第8段": "500", "第9段": "drop*1"}
    with chat_server.ChatServer(rules=rules) as server:
        report, recorded = annotate(server, 12)
        failed = {number: str(o.code) for number, o in recorded.items() if isinstance(o, ProviderError)}
        assert failed == {3: "provider_refused", 5: "provider_reply_cut", 8: "provider_down"}
        assert (report.done, report.failed, report.fatal) == (9, 3, None)
        assert recorded[5].reply.text and recorded[5].reply.tokens_out
        assert recorded[7].attempts == 3 and recorded[9].attempts == 2
        assert len(server.calls) == 12 + 2 + 3 + 1


@pytest.mark.parametrize("behaviour", ["401", "403", "404", "quota", "402"])
def test_a_fatal_failure_stops_with_no_more_than_the_calls_in_flight(behaviour):
    with chat_server.ChatServer(latency=0.02) as server:
        report, recorded = annotate(server, 200, concurrency=6, model=f"do-{behaviour}")
        assert isinstance(report.fatal, FatalProviderError) and not report.stopped
        assert len(server.calls) <= 6
        assert report.done == 0 and len(recorded) == report.failed == len(server.calls)


def test_what_is_in_flight_at_a_fatal_failure_is_kept():
    rules = {"第0段": "402", "第1段": "slow@0.3", "第2段": "slow@0.3"}
    with chat_server.ChatServer(rules=rules) as server:
        report, recorded = annotate(server, 30, concurrency=3)
        assert report.fatal.code == "provider_quota"
        assert set(recorded) == {0, 1, 2} and report.done == 2


def test_calls_that_wait_for_another_try_are_not_sent_after_a_fatal_failure():
    rules = {"第0段": "503", "第1段": "slow@0.2"}
    with chat_server.ChatServer(rules=rules, script=lambda call: "401") as server:
        slow = Backoff(first=30, cap=30)
        report, recorded = annotate(server, 30, concurrency=3, backoff=slow)
        assert report.fatal.code == "provider_key_wrong" and not report.stopped
        assert set(recorded) == {1, 2}  # 0 waited for its second try: it stays as it was
        assert len(server.calls) == 3


def test_stopping_records_what_is_in_flight_and_begins_nothing_new():
    with chat_server.ChatServer(latency=0.05) as server:
        report, recorded = annotate(server, 100, should_stop=lambda: len(server.calls) >= 10)
        assert report.stopped and report.fatal is None
        assert len(recorded) == report.done == len(server.calls) < 20


def test_stopping_ends_the_wait_for_limits_and_for_another_try():
    with chat_server.ChatServer(rules={"第1段": "429@60"}) as server:
        stop = lambda: len(server.calls) >= 2  # noqa: E731
        report, recorded = annotate(server, 100, concurrency=2, requests_per_minute=1200, should_stop=stop)
        assert report.stopped and 1 not in recorded
    with chat_server.ChatServer() as server:
        report, recorded = annotate(
            server, 100, concurrency=9, requests_per_minute=1, should_stop=lambda: len(server.calls) >= 1
        )
        assert report.stopped and len(recorded) == len(server.calls) == 1


def test_other_exceptions_are_raised_after_what_is_in_flight_is_recorded():
    recorded = []

    async def work(number):
        await asyncio.sleep(0.01 if number == 1 else 0.05)
        if number == 1:
            raise ZeroDivisionError
        return number

    with pytest.raises(ZeroDivisionError):
        asyncio.run(run(range(20), work, concurrency=3, on_done=lambda n, o: recorded.append(n)))
    assert sorted(recorded) == [0, 2]

    def full(number, outcome):
        recorded.append(number)
        if number == 2:
            raise OSError("disk full")

    recorded.clear()
    with pytest.raises(OSError, match="disk full"):
        asyncio.run(run(range(2, 20), work, concurrency=4, on_done=full))
    assert sorted(recorded) == [2, 3, 4, 5]


def test_nothing_to_do_is_done():
    report = asyncio.run(run([], None, concurrency=4, on_done=lambda item, outcome: None))
    assert (report.done, report.failed, report.stopped) == (0, 0, False)


def test_the_key_of_a_request_depends_on_all_of_it_and_on_nothing_else():
    messages = [{"role": "user", "content": "德寿宫"}]
    key = request_key("u", "m", messages, {"temperature": 0.1, "max_tokens": 5})
    assert len(key) == 64
    assert key == request_key("u", "m", [dict(reversed(messages[0].items()))], {"max_tokens": 5, "temperature": 0.1})
    others = {
        request_key("v", "m", messages, {"temperature": 0.1, "max_tokens": 5}),
        request_key("u", "n", messages, {"temperature": 0.1, "max_tokens": 5}),
        request_key("u", "m", messages * 2, {"temperature": 0.1, "max_tokens": 5}),
        request_key("u", "m", messages, {"temperature": 0.2, "max_tokens": 5}),
    }
    assert len(others | {key}) == 5
    assert request_key("u", "m", [{"role": "user", "content": "\ud800"}], {})
