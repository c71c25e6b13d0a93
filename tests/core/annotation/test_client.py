import asyncio
import importlib.util
import json
import string
import tomllib
from pathlib import Path

import pytest

from core.annotation.client import Backoff, CallError, ChatClient, FatalProviderError
from core.annotation.client import test_connection as try_connection
from core.annotation.endpoints import endpoint_for
from core.annotation.failures import classify, presentable
from core.annotation.reply import parse_reply
from core.annotation.wire import MAX_REPLY_BYTES, retry_after_of

spec = importlib.util.spec_from_file_location("chat_server", Path(__file__).with_name("chat_server.py"))
chat_server = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chat_server)

KEY = "sk-verysecret0123456789"
PASSAGE = "德寿宫在望仙桥东，元系秦太师赐第。"
MESSAGES = [
    {"role": "system", "content": "答以 JSON"},
    {"role": "user", "content": f"<原文-1>\n{PASSAGE}\n</原文-1>"},
]
QUICK = Backoff(first=0.01, cap=0.04, attempts=4, silent=2, unreachable=2)
SENTENCES = tomllib.loads(
    (Path(__file__).parents[3] / "workbench" / "i18n" / "catalogue" / "provider_core.toml").read_text(encoding="utf-8")
)["errors"]


@pytest.fixture
def server():
    with chat_server.ChatServer() as server:
        yield server


def ask(server, model="m", times=1, key=KEY, **changed):
    """The reply, or what was raised; a list of them where asked several times at once."""
    address = changed.pop("base_url", None) or server.base_url

    async def walk():
        endpoint = endpoint_for("local", base_url=address, model=model, **changed)
        async with ChatClient(endpoint, key, backoff=QUICK) as client:
            asked = (client.ask(MESSAGES, 10) for _ in range(times))
            return await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 30)

    outcomes = asyncio.run(walk())
    for outcome in outcomes:
        if isinstance(outcome, CallError):
            check_sentence(outcome)
        elif isinstance(outcome, Exception):
            raise outcome
    return outcomes[0] if times == 1 else outcomes


def check_sentence(error):
    """In both languages, with every placeholder filled, and neither key nor passage in it."""
    for sentence in SENTENCES[error.code].values():
        names = {name for _, name, _, _ in string.Formatter().parse(sentence) if name}
        assert names <= set(error.details), error.code
    assert KEY not in str(error) and KEY[:12] not in str(error) and PASSAGE[:8] not in str(error)
    assert error.__cause__ is None


def test_a_good_reply(server):
    reply = ask(server)
    assert parse_reply(reply.text, PASSAGE).entities[0].name == "德寿宫"
    assert (reply.finish_reason, reply.model, reply.attempts) == ("stop", "m", 1)
    assert reply.tokens_in > 0 and reply.tokens_out > 0 and reply.seconds > 0
    body = server.calls[0].body
    assert body["messages"] == MESSAGES
    assert (body["model"], body["temperature"]) == ("m", 0.1)
    assert body["response_format"] == {"type": "json_object"} and "max_tokens" not in body


def test_only_the_key_given_goes_out_and_nothing_of_the_environment(server, monkeypatch):
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID"):
        monkeypatch.setenv(f"OPENAI_{name}", "of-the-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer of-the-environment\nX-Team: of-the-environment")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    ask(server, key="none")
    headers = server.calls[0].headers
    assert headers["authorization"] == "Bearer none"
    assert "of-the-environment" not in json.dumps(headers)


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        ("401", "provider_key_wrong"),
        ("403", "provider_forbidden"),
        ("404", "provider_model_unknown"),
        ("error200", "provider_model_unknown"),
        ("404page", "provider_address_wrong"),
        ("redirect", "provider_address_wrong"),
        ("quota", "provider_quota"),
        ("arrears", "provider_quota"),
        ("balance", "provider_quota"),
        ("402", "provider_quota"),
    ],
)
def test_what_stops_the_job_is_asked_once(server, behaviour, code):
    error = ask(server, f"do-{behaviour}")
    assert isinstance(error, FatalProviderError) and error.fatal
    assert error.code == code
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("behaviour", "code", "kept"),
    [
        ("inspection", "provider_refused", False),
        ("1301", "provider_refused", False),
        ("filtered", "provider_refused", True),
        ("sensitive", "provider_refused", True),
        ("context", "provider_context", False),
        ("invalid", "provider_rejected", False),
        ("cut", "provider_reply_cut", True),
        ("empty", "provider_reply_empty", True),
        ("null", "provider_reply_empty", True),
        ("reasoning-only", "provider_reply_empty", True),
        ("huge", "provider_reply_too_large", False),
        ("html200", "provider_unreadable", False),
        ("envelope", "provider_unreadable", False),
    ],
)
def test_what_concerns_one_passage_is_asked_once_and_kept(server, behaviour, code, kept):
    error = ask(server, f"do-{behaviour}")
    assert isinstance(error, CallError) and not error.fatal
    assert error.code == code
    assert len(server.calls) == 1
    assert (error.reply is not None) == kept
    if kept:
        assert error.reply.tokens_in > 0


@pytest.mark.parametrize("behaviour", ["429", "500", "502", "503", "504", "drop", "drop-late"])
def test_what_passes_is_tried_again_and_no_longer_than_allowed(server, behaviour):
    reply = ask(server, f"do-{behaviour}*2")
    assert reply.attempts == 3 and parse_reply(reply.text, PASSAGE).entities
    code = {"429": "provider_busy"}.get(behaviour, "provider_dropped" if "drop" in behaviour else "provider_down")
    server.calls.clear()
    error = ask(server, f"do-{behaviour}")
    assert (error.code, error.fatal, error.details["attempts"]) == (code, False, 4)
    assert len(server.calls) == 4


@pytest.mark.parametrize("behaviour", ["hang", "drip"])
def test_a_server_that_hangs_or_drips_is_left(server, behaviour):
    assert ask(server, f"do-{behaviour}*1", timeout=0.25).attempts == 2
    server.calls.clear()
    error = ask(server, f"do-{behaviour}", timeout=0.15)
    assert (error.code, error.fatal, len(server.calls)) == ("provider_silent", False, 2)


def test_retry_after_is_honoured_and_holds_the_other_calls_back(server):
    server.script = lambda call: "429@0.6" if len(server.calls) == 1 else "ok"

    async def walk():
        endpoint = endpoint_for("local", base_url=server.base_url, model="m")
        async with ChatClient(endpoint, KEY, backoff=QUICK) as client:

            async def second():
                while not server.calls:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.1)
                return await client.ask(MESSAGES)

            return await asyncio.gather(client.ask(MESSAGES), second())

    asyncio.run(walk())
    first, *others = [call.at for call in server.calls]
    assert len(others) == 2 and min(others) - first >= 0.6


def test_retry_after_as_seconds_a_date_or_nonsense():
    assert retry_after_of({"retry-after": "1.5"}) == 1.5
    assert retry_after_of({"retry-after-ms": "250", "retry-after": "9"}) == 0.25
    assert retry_after_of({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert retry_after_of({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}) > 10**9
    for nothing in ({}, {"retry-after": "soon"}, {"retry-after": "nan"}, {"retry-after": ""}):
        assert retry_after_of(nothing) is None
    backoff = Backoff(first=1, cap=8, longest_retry_after=120, chance=lambda: 1.0)
    assert [backoff.seconds(n, None) for n in (1, 2, 3, 4, 5)] == [1, 2, 4, 8, 8]
    assert 20 <= backoff.seconds(1, 20) <= 21 and backoff.seconds(1, 10**9) <= 121


def test_a_date_as_retry_after_is_understood_from_the_wire(server):
    server.script = lambda call: "429@-1" if len(server.calls) == 1 else "ok"
    assert ask(server).attempts == 2


def test_nobody_at_the_address_stops_the_job_after_a_few_tries():
    with chat_server.ChatServer() as gone:
        address = gone.base_url
    error = ask(None, base_url=address)
    assert isinstance(error, FatalProviderError)
    assert (error.code, error.details["attempts"]) == ("provider_unreachable", 2)


def test_a_host_that_does_not_exist_stops_the_job(monkeypatch):
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    error = ask(None, base_url="https://songclip.invalid/v1")
    assert isinstance(error, FatalProviderError)
    assert (error.code, error.details["attempts"]) == ("provider_host_unknown", 2)


def test_after_a_fatal_failure_nothing_more_goes_out(server):
    async def walk():
        endpoint = endpoint_for("local", base_url=server.base_url, model="do-401")
        async with ChatClient(endpoint, KEY) as client:
            return [await asyncio.gather(client.ask(MESSAGES), return_exceptions=True) for _ in range(3)]

    assert [type(error) for (error,) in asyncio.run(walk())] == [FatalProviderError] * 3
    assert len(server.calls) == 1


@pytest.mark.parametrize(("behaviour", "calls"), [("noformat", 1), ("nothinking", 1)])
def test_what_a_server_does_not_take_is_left_out_from_then_on(server, behaviour, calls):
    async def walk():
        endpoint = endpoint_for("local", base_url=server.base_url, model=f"do-{behaviour}")
        async with ChatClient(endpoint, KEY, backoff=Backoff(first=30)) as client:
            first = await client.ask(MESSAGES)
            return first, [await client.ask(MESSAGES) for _ in range(3)]

    first, others = asyncio.run(walk())
    assert first.attempts == 2 and [reply.attempts for reply in others] == [1, 1, 1]
    assert len(server.calls) == 5


def test_calls_under_way_together_learn_it_together(server):
    server.latency = 0.05
    assert all(reply.attempts == 2 for reply in ask(server, "do-noformat", times=6))
    assert len(server.calls) == 12


@pytest.mark.parametrize("behaviour", ["fenced", "reasoning", "parts"])
def test_the_answer_is_the_content_and_nothing_beside_it(server, behaviour):
    reply = ask(server, f"do-{behaviour}")
    assert [entity.name for entity in parse_reply(reply.text, PASSAGE).entities] == ["德寿宫", "望仙桥"]


@pytest.mark.parametrize("behaviour", ["notjson", "shape", "html", "prose", "think"])
def test_what_only_a_reader_can_judge_is_handed_on_as_it_came(server, behaviour):
    reply = ask(server, f"do-{behaviour}")
    wanted = {"notjson": "对不起", "shape": "places", "html": "<script>", "prose": "好的", "think": "<think>"}
    assert wanted[behaviour] in reply.text


def test_half_a_character_does_not_reach_the_database(server):
    ask(server, "do-surrogate").text.encode("utf-8")


def test_a_large_reply_is_not_read_to_its_end(server):
    error = ask(server, "do-huge")
    assert error.code == "provider_reply_too_large" and MAX_REPLY_BYTES < 5_000_000


def test_the_button(server):
    async def press(model, **changed):
        endpoint = endpoint_for("local", base_url=server.base_url, model=model, **changed)
        async with ChatClient(endpoint, KEY) as client:
            return await try_connection(client)

    assert asyncio.run(press("m")).text
    assert server.calls[0].body["max_tokens"] == 16
    for answer in ("do-cut", "do-empty", "do-noformat"):
        assert asyncio.run(press(answer)).finish_reason
    for behaviour, code in (("401", "provider_key_wrong"), ("503", "provider_down"), ("hang", "provider_silent")):
        with pytest.raises(CallError, match=code) as caught:
            asyncio.run(press(f"do-{behaviour}", timeout=0.3))
        check_sentence(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "host", "code", "retry"),
    [
        (
            429,
            {"code": "insufficient_quota", "message": "You exceeded your current quota"},
            "",
            "provider_quota",
            False,
        ),
        (
            429,
            {"code": "insufficient_quota", "message": "You exceeded your current quota, please check your plan"},
            "dashscope.aliyuncs.com",
            "provider_busy",
            True,
        ),
        (
            403,
            {"code": "AllocationQuota.FreeTierOnly", "message": "The free tier of the model has been exhausted."},
            "dashscope.aliyuncs.com",
            "provider_quota",
            False,
        ),
        (429, {"error": {"code": "1302", "message": "并发数过高"}}, "open.bigmodel.cn", "provider_busy", True),
        (
            400,
            {"error": {"message": "Model Not Exist", "code": "invalid_request_error"}},
            "",
            "provider_model_unknown",
            0,
        ),
        (404, {"error": {"message": 'model "x" not found, try pulling it first'}}, "", "provider_model_unknown", False),
        (404, {"error": "model 'x' not found"}, "", "provider_model_unknown", False),
        (404, {"detail": "Not Found"}, "", "provider_address_wrong", False),
        (405, "<html>", "", "provider_address_wrong", False),
        (400, {"error": {"message": "Content Exists Risk"}}, "api.deepseek.com", "provider_refused", False),
        (400, {"code": "DataInspectionFailed", "message": "x"}, "", "provider_refused", False),
        (400, {"error": {"message": "This model's maximum context length is 8192 tokens"}}, "", "provider_context", 0),
        (413, "", "", "provider_context", False),
        (400, {"error": {"message": "top_p is wrong"}}, "", "provider_rejected", False),
        (400, ["odd"], "", "provider_rejected", False),
        (500, {"error": {"message": "billing overdue service crashed"}}, "", "provider_down", True),
        (529, None, "", "provider_down", True),
        (401, {"error": {"message": "Insufficient balance"}}, "", "provider_quota", False),
    ],
)
def test_what_providers_say(status, body, host, code, retry):
    failure = classify(status, body, host=host)
    assert (failure.code, failure.retry) == (code, bool(retry))


def test_what_is_shown_holds_no_key_and_no_passage():
    zhipu = "0123456789abcdef0123456789abcdef.AbCdEfGhIjKl"
    said = f"bad key {zhipu[:20]}…, Bearer abcdefgh1234, sk-other99999\n{PASSAGE} {zhipu}" + "x" * 900
    shown = presentable(said, key=zhipu, sent=MESSAGES[1]["content"])
    assert len(shown) <= 200 and "\n" not in shown
    for secret in (zhipu[:8], zhipu[-8:], "abcdefgh", "other9", PASSAGE[:6]):
        assert secret not in shown
    assert presentable("余额不足,请充值", key="none", sent=PASSAGE) == "余额不足,请充值"
