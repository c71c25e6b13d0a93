"""Asking a model over the OpenAI chat-completions protocol, with patience where it helps and none where it does not.

The ``openai`` package makes the call; retries, limits and the reading of failures are ours, because only we know
which of them stop a book and which concern one passage.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from core.annotation.endpoints import Endpoint, is_near
from core.annotation.failures import CallError, Failure, FatalProviderError, RawReply, classify, presentable
from core.annotation.limits import RateLimits, ShouldStop, never, pause
from core.annotation.wire import AttemptError, failure_of_connection, read_body, reply_of, retry_after_of

__all__ = [
    "Backoff",
    "CallError",
    "ChatClient",
    "FatalProviderError",
    "Message",
    "RawReply",
    "test_connection",
]

Message = Mapping[str, str]

TEST_SECONDS = 10.0
CONNECT_SECONDS = 10.0
_TEST_MESSAGES: tuple[Message, ...] = ({"role": "user", "content": "回答一个字：好"},)
_SENT_HEADERS = frozenset(
    {"host", "accept", "accept-encoding", "connection", "content-length", "content-type", "user-agent"}
    | {"x-stainless-raw-response"}  # how the openai package knows that the body is read in pieces
)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long and how often a failed attempt is repeated; times in seconds.

    The wait doubles from ``first`` to ``cap``, with jitter; with the defaults it outlasts a minute, after which limits
    by the minute are open again. ``silent`` and ``unreachable`` bound the attempts where each is slow or hopeless.
    """

    first: float = 1.0
    cap: float = 60.0
    attempts: int = 8
    silent: int = 3
    unreachable: int = 4
    longest_retry_after: float = 120.0
    chance: Callable[[], float] = random.random

    def attempts_for(self, code: str) -> int:
        """How many attempts a failure of this code is worth, the first included."""
        if code in ("provider_unreachable", "provider_host_unknown"):
            return self.unreachable
        return self.silent if code == "provider_silent" else self.attempts

    def seconds(self, attempt: int, retry_after: float | None) -> float:
        """The wait after the ``attempt``-th failure; never shorter than what the server asked for, up to the cap."""
        jitter = 0.5 + self.chance() / 2
        if retry_after is not None:
            return min(retry_after, self.longest_retry_after) + self.first * jitter / 2
        return min(self.cap, self.first * 2 ** (attempt - 1)) * jitter


class ChatClient:
    """One endpoint, asked by many passages at once; an async context manager.

    After a fatal failure nothing goes out any more: waiting calls raise Stopped, new ones the same failure.
    """

    def __init__(
        self, endpoint: Endpoint, key: str, *, backoff: Backoff | None = None, limits: RateLimits | None = None
    ) -> None:
        self.endpoint = endpoint
        self.fatal: FatalProviderError | None = None
        self._key = key
        self._backoff = backoff or Backoff()
        self._limits = limits or RateLimits(endpoint.requests_per_minute, endpoint.tokens_per_minute)
        self._parameters = endpoint.parameters()
        self._extra: dict[str, Any] = {}
        self._stack = AsyncExitStack()
        self._create: Any = None

    async def __aenter__(self) -> Self:
        import httpx2
        import openai

        timeout = httpx2.Timeout(self.endpoint.timeout, connect=min(CONNECT_SECONDS, self.endpoint.timeout))
        http = openai.DefaultAsyncHttpxClient(
            timeout=timeout,
            follow_redirects=False,  # a key goes to the address it was given for, and nowhere else
            trust_env=not is_near(self.endpoint.base_url),  # a proxy of the system does not reach it
            event_hooks={"request": [self._only_our_headers]},
        )
        await self._stack.enter_async_context(http)
        client = openai.AsyncOpenAI(
            api_key=self._key,
            admin_api_key="",
            base_url=self.endpoint.base_url,
            max_retries=0,
            timeout=timeout,
            http_client=http,
        )
        self._create = client.chat.completions.with_streaming_response.create
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._create = None
        await self._stack.aclose()

    async def ask(
        self, messages: Sequence[Message], estimated_tokens: int = 0, *, should_stop: ShouldStop = never
    ) -> RawReply:
        """One reply. Waits for the limits, repeats what may pass, and stops waiting as soon as asked to.

        CallError for this passage alone, with what came in ``reply``: ``provider_busy``, ``provider_down``,
        ``provider_silent``, ``provider_dropped`` (repeated first), ``provider_refused``, ``provider_context``,
        ``provider_rejected``, ``provider_unreadable``, ``provider_reply_cut``, ``provider_reply_empty``,
        ``provider_reply_too_large``.
        FatalProviderError for the job: ``provider_key_wrong``, ``provider_forbidden``, ``provider_quota``,
        ``provider_model_unknown``, ``provider_address_wrong``, ``provider_unreachable``, ``provider_host_unknown``,
        ``provider_certificate``. Stopped while waiting.
        """
        if self.fatal:
            raise self.fatal
        attempt = 0
        while True:
            attempt += 1
            await self._limits.acquire(estimated_tokens, should_stop=lambda: self._halted(should_stop))
            given = self._given()
            try:
                reply = await self._once(messages, given, self.endpoint.timeout)
            except AttemptError as failed:
                taken = failed.reply.tokens_in + failed.reply.tokens_out if failed.reply else 0
                self._limits.settle(estimated_tokens, taken)
                again = self._adapt(failed.failure, given) or (
                    failed.failure.retry and attempt < self._backoff.attempts_for(failed.failure.code)
                )
                if not again:
                    raise self._error(failed, messages, attempt) from None
                if failed.failure.retry:
                    if failed.retry_after is not None:
                        self._limits.hold(min(failed.retry_after, self._backoff.longest_retry_after))
                    seconds = self._backoff.seconds(attempt, failed.retry_after)
                    await pause(seconds, lambda: self._halted(should_stop))
            else:
                self._limits.settle(estimated_tokens, reply.tokens_in + reply.tokens_out or estimated_tokens)
                return replace(reply, attempts=attempt)

    async def test(self) -> RawReply:
        """One tiny call without repetition; a cut or empty answer is an answer. Errors as in :meth:`ask`."""
        try:
            given = {"max_tokens": 16} | self._extra
            return await self._once(_TEST_MESSAGES, given, min(TEST_SECONDS, self.endpoint.timeout))
        except AttemptError as failed:
            if failed.failure.code in ("provider_reply_cut", "provider_reply_empty") and failed.reply:
                return failed.reply
            raise self._error(failed, _TEST_MESSAGES, 1) from None

    def _halted(self, should_stop: ShouldStop) -> bool:
        return self.fatal is not None or should_stop()

    def _error(self, failed: AttemptError, messages: Sequence[Message], attempts: int) -> CallError:
        """The exception for the caller; a fatal one is remembered."""
        sent = "\n".join(message["content"] for message in messages)
        said = presentable(failed.failure.said, key=self._key, sent=sent)
        reply = replace(failed.reply, attempts=attempts) if failed.reply else None
        error = replace(failed.failure, said=said).error(endpoint=self.endpoint.label, attempts=attempts, reply=reply)
        if isinstance(error, FatalProviderError) and self.fatal is None:
            self.fatal = error
        return error

    def _given(self) -> dict[str, Any]:
        """The parameters as this server takes them."""
        return self._parameters | self._extra

    def _adapt(self, failure: Failure, given: Mapping[str, Any]) -> bool:
        """Leave out, for good, what the server does not take (each once); whether the call is worth repeating."""
        if failure.code != "provider_rejected":
            return False
        if given != self._given():
            return True  # another call has just learnt it
        said = failure.said.lower()
        if "enable_thinking" in said and not self._extra:
            self._extra = {"enable_thinking": False}  # hybrid Qwen models think only where replies are streamed
            return True
        if ("response_format" in said or "json mode" in said) and "response_format" in self._parameters:
            del self._parameters["response_format"]
            return True
        return False

    async def _only_our_headers(self, request: Any) -> None:
        """Send no header of the environment (OPENAI_ORG_ID, OPENAI_CUSTOM_HEADERS), and exactly the key given."""
        for name in [name for name in request.headers if name.lower() not in _SENT_HEADERS]:
            del request.headers[name]
        request.headers["authorization"] = f"Bearer {self._key}"

    async def _once(self, messages: Sequence[Message], given: Mapping[str, Any], timeout: float) -> RawReply:
        """One attempt; raises AttemptError. ``timeout`` bounds the whole of it: a server may also drip for ever."""
        import httpx2
        import openai

        if self._create is None:
            raise RuntimeError("the client is used in an `async with`")
        request = {"messages": list(messages), **given}  # as extra_body: walking them costs the package a millisecond
        began = time.monotonic()
        try:
            async with (
                asyncio.timeout(timeout),
                self._create(model=self.endpoint.model, messages=[], extra_body=request) as answer,
            ):
                body = await read_body(answer.iter_bytes())
        except openai.APIStatusError as error:
            failure = classify(error.status_code, error.body, host=self._host)
            raise AttemptError(failure, retry_after=retry_after_of(error.response.headers)) from None
        except (openai.APIConnectionError, httpx2.TransportError, TimeoutError) as error:
            raise AttemptError(failure_of_connection(error)) from None
        except (openai.OpenAIError, httpx2.HTTPError) as error:
            raise AttemptError(Failure("provider_unreadable", said=type(error).__name__)) from None
        return reply_of(body, time.monotonic() - began, host=self._host)

    @property
    def _host(self) -> str:
        return self.endpoint.host.partition(":")[0]


async def test_connection(client: ChatClient) -> RawReply:
    """One tiny call that answers within seconds; CallError says what is wrong."""
    return await client.test()


test_connection.__test__ = False  # type: ignore[attr-defined] # pytest collects by name
