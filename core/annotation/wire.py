"""What comes over the wire for one attempt: a body as far as it is worth reading, a reply, or a failure."""

import json
import math
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from socket import gaierror
from ssl import SSLError

from core.annotation.failures import Failure, RawReply, classify

MAX_REPLY_BYTES = 2_000_000


class AttemptError(Exception):
    """One attempt that failed; ``retry_after`` is what the server asked for, ``reply`` what came all the same."""

    def __init__(self, failure: Failure, *, retry_after: float | None = None, reply: RawReply | None = None) -> None:
        super().__init__(failure.code)
        self.failure, self.retry_after, self.reply = failure, retry_after, reply


async def read_body(chunks: AsyncIterator[bytes]) -> bytes:
    """The body; raises AttemptError ``provider_reply_too_large`` without reading the rest."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_REPLY_BYTES:
            raise AttemptError(Failure("provider_reply_too_large"))
    return bytes(body)


def failure_of_connection(error: BaseException) -> Failure:
    """Whether nobody is there, or somebody is silent, or hung up."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    if any(isinstance(step, gaierror) for step in chain):
        return Failure("provider_host_unknown", "job", retry=True)
    if any(isinstance(step, SSLError) for step in chain):
        return Failure("provider_certificate", "job")
    if any(
        type(step).__name__ in ("ConnectError", "ConnectTimeout", "ProxyError", "UnsupportedProtocol") for step in chain
    ):
        return Failure("provider_unreachable", "job", retry=True)
    if any(type(step).__name__.endswith("Timeout") or isinstance(step, TimeoutError) for step in chain):
        return Failure("provider_silent", retry=True)
    return Failure("provider_dropped", retry=True)


def reply_of(body: bytes, seconds: float, *, host: str) -> RawReply:
    """The reply in a body; raises AttemptError for a body that holds none, or one that is no full answer."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise AttemptError(Failure("provider_unreadable")) from None
    if isinstance(data, dict) and data.get("error"):
        raise AttemptError(classify(200, data, host=host))
    try:
        choice = data["choices"][0]
        message = choice["message"]
        reply = RawReply(
            text=_text(message.get("content")),
            finish_reason=str(choice.get("finish_reason") or ""),
            tokens_in=_count(data.get("usage"), "prompt_tokens"),
            tokens_out=_count(data.get("usage"), "completion_tokens"),
            model=str(data.get("model") or ""),
            seconds=seconds,
            attempts=1,
        )
    except (KeyError, IndexError, TypeError, AttributeError):
        raise AttemptError(Failure("provider_unreadable")) from None
    if reply.finish_reason in ("content_filter", "sensitive"):
        raise AttemptError(Failure("provider_refused"), reply=reply)
    if reply.finish_reason == "length":
        raise AttemptError(Failure("provider_reply_cut"), reply=reply)
    if not reply.text.strip():
        raise AttemptError(Failure("provider_reply_empty"), reply=reply)
    return reply


def _text(content: object) -> str:
    """The answer alone (``reasoning_content`` stands beside it); half surrogates, which nothing stores, replaced."""
    if isinstance(content, list):
        content = "".join(part["text"] for part in content if isinstance(part.get("text"), str))
    if content is None:
        return ""
    if not isinstance(content, str):
        raise TypeError
    return content.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _count(usage: object, name: str) -> int:
    value = usage.get(name) if isinstance(usage, dict) else 0
    return value if isinstance(value, int) and 0 <= value < 10**9 else 0


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Seconds from ``Retry-After`` (RFC 9110: seconds or a date) or ``retry-after-ms``; None where it says nothing."""
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1000
        else:
            seconds = float(headers["retry-after"])
    except KeyError:
        return None
    except ValueError:
        try:
            when = parsedate_to_datetime(headers["retry-after"])
        except (KeyError, ValueError):
            return None
        seconds = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return None if math.isnan(seconds) else max(seconds, 0.0)
