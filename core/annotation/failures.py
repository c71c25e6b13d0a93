"""What a provider's refusal means: for the passage or for the whole job, and whether to try again.

Sources: the error pages of Model Studio (DashScope), open.bigmodel.cn, DeepSeek and OpenAI. The same answer means
different things in different houses: ``insufficient_quota`` with status 429 is an empty account at OpenAI, and at
DashScope a minute with too many tokens.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from core.errors import ProviderError

Scope = Literal["passage", "job"]

LONGEST_SAID = 200
SHORTEST_KEY = 6
"""A run of a key this long is struck out of what a server says."""


@dataclass(frozen=True, slots=True)
class RawReply:
    """What came back for one request; ``text`` is the answer as it came, ``seconds`` those of the last attempt."""

    text: str
    finish_reason: str
    tokens_in: int
    tokens_out: int
    model: str
    seconds: float
    attempts: int


class CallError(ProviderError):
    """A call that gave no usable reply; ``reply`` holds what came all the same (cut, refused, empty)."""

    fatal = False

    def __init__(self, code: str, *, reply: RawReply | None = None, **details: object) -> None:
        super().__init__(code, **details)
        self.reply = reply


class FatalProviderError(CallError):
    """Every further call would fail in the same way: the job stops."""

    fatal = True


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong: the code of its sentence, whom it concerns, whether trying again may help."""

    code: str
    scope: Scope = "passage"
    retry: bool = False
    status: int = 0
    said: str = ""

    def error(self, *, endpoint: str, attempts: int, reply: RawReply | None = None) -> CallError:
        """The exception; ``said`` must already be free of keys and passage text (see :func:`presentable`)."""
        kind = FatalProviderError if self.scope == "job" else CallError
        details = {"endpoint": endpoint, "said": self.said or "—", "attempts": attempts, "status": self.status or "—"}
        return kind(self.code, reply=reply, **details)


_REFUSED = re.compile(
    r"data_?inspection_?failed|content_?filter|content_policy_violation|responsibleaipolicy|inappropriate content"
    r"|sensitive_words_detected|content exists risk|敏感内容",
    re.IGNORECASE,
)
_QUOTA = re.compile(
    r"insufficient_(user_)?quota|arrearage|insufficient[ _]balance|credit_balance_exhausted|spend_limit_exceeded"
    r"|usage_limit_exceeded|billing_hard_limit|billing_not_active|freetieronly|free (allocated quota|tier)|overdue"
    r"|good standing|余额不足|欠费|额度不足|无可用资源包",
    re.IGNORECASE,
)
_MINUTE = re.compile(r"throttling|allocated quota exceeded|exceeded your current (quota|requests)", re.IGNORECASE)
_MODEL = re.compile(
    r"model_?not_?found|invalid_model|model[^.。]{0,120}?(not exist|not found)|模型不存在"
    r"|(unknown|unsupported|no such|invalid) model",
    re.IGNORECASE,
)
_CONTEXT = re.compile(
    r"context_length_exceeded|context (length|window|size)|maximum context|range of input length|input length"
    r"|input is too long|prompt is too long|超长|too many tokens",
    re.IGNORECASE,
)
_KEY = re.compile(r"invalid_?api_?key|incorrect api key", re.IGNORECASE)
_OF_ZHIPU: dict[str, tuple[str, Scope, bool]] = {
    **dict.fromkeys(("1000", "1001", "1002", "1003", "1004", "1005"), ("provider_key_wrong", "job", False)),
    **dict.fromkeys(("1110", "1111", "1112", "1121", "1220", "1311"), ("provider_forbidden", "job", False)),
    **dict.fromkeys(("1113", "1304", "1308", "1309", "1310"), ("provider_quota", "job", False)),
    **dict.fromkeys(("1211",), ("provider_model_unknown", "job", False)),
    **dict.fromkeys(("1221", "1222"), ("provider_address_wrong", "job", False)),
    **dict.fromkeys(("1261",), ("provider_context", "passage", False)),
    **dict.fromkeys(("1300", "1301"), ("provider_refused", "passage", False)),
    **dict.fromkeys(("1302", "1303", "1305", "1312"), ("provider_busy", "passage", True)),
}


def classify(status: int, body: object, *, host: str = "") -> Failure:
    """The meaning of an answer that is no reply: HTTP status and body (JSON, or the text of a page)."""
    code, kind, said = _words(body)
    everything = f"{code} {kind} {said}"

    def failure(name: str, scope: Scope = "passage", retry: bool = False) -> Failure:
        return Failure(name, scope, retry, status, said)

    if code in _OF_ZHIPU:
        return failure(*_OF_ZHIPU[code])
    if _REFUSED.search(everything):
        return failure("provider_refused")
    minute = host.endswith("aliyuncs.com") and _MINUTE.search(everything) and "free" not in everything.lower()
    if status == 429 and minute:
        return failure("provider_busy", retry=True)
    if status == 402 or (status < 500 and _QUOTA.search(everything)):
        return failure("provider_quota", "job")
    if status == 401 or _KEY.search(code):
        return failure("provider_key_wrong", "job")
    if status == 403:
        return failure("provider_forbidden", "job")
    if status in (200, 400, 404, 422) and _MODEL.search(everything):
        return failure("provider_model_unknown", "job")
    if 300 <= status < 400 or status in (404, 405, 410):
        return failure("provider_address_wrong", "job")
    if status == 413 or (status < 500 and status != 429 and _CONTEXT.search(everything)):
        return failure("provider_context")
    if status in (409, 425, 429):
        return failure("provider_busy", retry=True)
    if status == 408 or status >= 500:
        return failure("provider_down", retry=True)
    return failure("provider_rejected")


def _words(body: object) -> tuple[str, str, str]:
    """Code, type and sentence of an error body, in any of the shapes houses use."""
    if not isinstance(body, Mapping):
        return "", "", ""  # a page: nothing in it is meant for a reader of ours
    error: Any = body.get("error", body)
    if not isinstance(error, Mapping):
        error = {"code": body.get("code"), "message": error}
    said = error.get("message") or error.get("detail")
    code, kind = (str(error[name]) if isinstance(error.get(name), str | int) else "" for name in ("code", "type"))
    return code, kind, said if isinstance(said, str) else ""


_LIKE_A_KEY = re.compile(r"\b(sk-|Bearer\s+)[^\s\"',]{4,}|\b[0-9a-f]{24,}\b(\.\w+)?", re.IGNORECASE)
_CHINESE = re.compile("[\u3000-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]{6,}")


def presentable(said: str, *, key: str, sent: str) -> str:
    """What a server said, fit for a log and a screen: short, in one line, without keys and without the passage."""
    line = " ".join("".join(c if c.isprintable() else " " for c in said[: 4 * LONGEST_SAID]).split())
    if len(key) >= SHORTEST_KEY:
        line = strike(line, key, least=SHORTEST_KEY)
    line = _LIKE_A_KEY.sub("…", line)
    line = _CHINESE.sub(lambda run: strike(run[0], sent, least=6), line)
    return line if len(line) <= LONGEST_SAID else line[: LONGEST_SAID - 1] + "…"


def strike(text: str, secret: str, *, least: int) -> str:
    """The text with every run of ``least`` or more characters that also stands in ``secret`` struck out."""
    kept, start = [], 0
    while start < len(text):
        end = start + least
        if end <= len(text) and text[start:end] in secret:
            while end < len(text) and text[start : end + 1] in secret:
                end += 1
            kept.append("…")
            start = end
        else:
            kept.append(text[start])
            start += 1
    return "".join(kept)
