"""From the raw text of a model's reply to an annotation of the passage, or to a reason that can be sent back.

Tolerated: reasoning before the answer, prose and code fences around it, a list of one, JSON inside a JSON string,
raw line breaks in strings, commas before a closing bracket, curly quotation marks as delimiters. Nothing is guessed
beyond that: a reply that was cut goes back to the model (:func:`repair_messages`).
"""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from core.annotation.reply import ModelReply, Problem, field_paths, read_reply
from core.errors import ProviderError
from core.texts.annotation import AnnotationValue

MAX_REPLY = 1_000_000
"""Longest reply that is read, in code points; one about the longest passage known has under 150,000."""
MAX_RETURNED = 12_000
"""Code points of a failed reply that go back to the model at most."""

ENTITIES = ("entities",)
"""What an object must hold to be an annotation."""
ANNOTATION = (
    "含 entities（数组，每项有 name 与 type）、spatial_relation、modern_chinese、english、search_prompt，"
    "可含 relations（每项有 subject、relation、object）。"
)
"""What an annotation consists of, as a model that failed is told again."""

_MAX_FAILURES = 20  # places where an object seems to begin and none does, before the search ends
_MAX_WRAPPERS = 3

_REASONING = re.compile(r"[<◁](/?)(?:think|thinking|thought|reasoning)\b[^<>▷]{0,50}[>▷]", re.IGNORECASE)
_STRING = r'"(?:[^"\\]|\\.)*+"'
_SLOPPY = re.compile(rf"{_STRING}|,(?=\s*[}}\]])", re.DOTALL)
_CURLY = re.compile(rf"{_STRING}|(?<=[{{\[,:])(\s*)[“”]|[“”](?=\s*[:,}}\]])", re.DOTALL)
_decoder = json.JSONDecoder(strict=False, parse_constant=lambda _: None)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A reply that could be read; ``problems`` is what a scholar should look at, nothing of it was dropped."""

    value: AnnotationValue
    problems: tuple[Problem, ...] = ()


def parse_model_reply(raw: str, text: str, *, context: str = "") -> Parsed:
    """A model's reply as an annotation of the passage ``text``; every span passes ``check_spans``.

    ``context`` is the neighbouring text the model was shown (see :mod:`core.annotation.parts`).
    ProviderError: ``reply_too_large`` (size, limit), ``reply_empty``, ``reply_not_json`` (line, column),
    ``reply_wrong_shape`` (fields).
    """
    data, several = _answer(raw)
    try:
        reply = ModelReply.model_validate(data)
    except ValidationError as error:
        raise ProviderError("reply_wrong_shape", fields=field_paths(error)) from None
    value, problems = read_reply(reply, text, context)
    return Parsed(value, (*([Problem("several_answers")] if several else []), *problems, *_empty_fields(value)))


def _empty_fields(value: AnnotationValue) -> Iterator[Problem]:
    if not value.modern_chinese:
        yield Problem("modern_chinese_empty")
    if not value.english:
        yield Problem("english_empty")
    if not value.search_prompt:
        yield Problem("search_prompt_empty")


def extract_json(raw: str, fields: Collection[str] = ENTITIES) -> dict[str, Any]:
    """The JSON object that is the answer in a raw reply: the last one with one of the fields, never one in reasoning.

    ProviderError as :func:`parse_model_reply`.
    """
    return _answer(raw, fields)[0]


def _answer(raw: str, fields: Collection[str] = ENTITIES) -> tuple[dict[str, Any], bool]:
    """The answer, and whether other answers stood before it."""
    if len(raw) > MAX_REPLY:
        raise ProviderError("reply_too_large", size=len(raw), limit=MAX_REPLY)
    text = raw.replace("\ufeff", " ")
    whole = _whole(text)
    if whole is None:
        text = without_reasoning(text)
        whole = _whole(text)
    if not text.strip():
        raise ProviderError("reply_empty")
    if whole is not None:
        return _unwrapped(whole, fields), False
    for attempt in (text, _repaired(text)):
        found = _objects(attempt)
        opened = [(start, end, _unwrapped(value, fields)) for start, end, value in found]
        answers = [(start, end, data) for start, end, data in opened if not data.keys().isdisjoint(fields)]
        if answers:
            return _last(answers, attempt)
    if found and found[0][0] == attempt.find("{"):
        return found[0][2], False  # a whole object without any of the fields: the schema names what is missing
    raise _no_json(text)


def _whole(text: str) -> dict[str, Any] | None:
    """The object where the text is JSON and nothing else: an object, a list of one, a string that holds either."""
    value: Any = text
    for _ in range(_MAX_WRAPPERS):
        value = _loads(value) if isinstance(value, str) else value
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
    return value if isinstance(value, dict) else None


def _loads(text: str) -> Any:
    try:
        return _decoder.decode(text.strip())
    except (ValueError, RecursionError):
        return None


def without_reasoning(text: str) -> str:
    """The text with ``<think>…</think>`` blanked out, so that places in it stay; unclosed, all of the rest is.

    What stands before a closing tag that was never opened is reasoning too: chat templates often open it themselves.
    """
    kept: list[tuple[int, int]] = []
    position, inside = 0, False
    for tag in _REASONING.finditer(text):
        if not tag.group(1):
            if not inside:
                kept.append((position, tag.start()))
            inside = True
        else:
            kept = kept if inside else []
            position, inside = tag.end(), False
    if not inside:
        kept.append((position, len(text)))
    parts, done = [], 0
    for start, end in kept:
        parts += [re.sub(r"[^\n]", " ", text[done:start]), text[start:end]]
        done = end
    return "".join(parts)


def _objects(text: str) -> list[tuple[int, int, dict[str, Any]]]:
    """Objects that stand in a text, outermost ones only, with their places."""
    found = []
    failures = 0
    start = text.find("{")
    while start >= 0 and failures < _MAX_FAILURES:
        try:
            value, end = _decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            failures += 1
            end = start + 1
        else:
            found.append((start, end, value))
        start = text.find("{", end)
    return found


def _unwrapped(value: dict[str, Any], fields: Collection[str]) -> dict[str, Any]:
    """The object itself, or the one inside ``{"result": {…}}``; fields that hold JSON in a string are opened."""
    for _ in range(_MAX_WRAPPERS):
        if not value.keys().isdisjoint(fields):
            break
        inner = [_opened(item, "{") for item in value.values()]
        inner = [item for item in inner if isinstance(item, dict)]
        if len(inner) != 1:
            break
        value = inner[0]
    lists = ("entities", "relations")
    return {key: _opened(item, "[") if key in lists else item for key, item in value.items()}


def _opened(item: Any, bracket: str) -> Any:
    if isinstance(item, str) and item.lstrip().startswith(bracket):
        inner = _loads(item)
        return item if inner is None else inner
    return item


def _last(answers: list[tuple[int, int, dict[str, Any]]], text: str) -> tuple[dict[str, Any], bool]:
    """The last answer; different ones side by side (a list, one a line) are no one answer."""
    start, _, data = answers[-1]
    others = [(end, other) for _, end, other in answers[:-1] if other != data]
    if any(not text[end:start].strip(" \t\r\n,;") for end, _ in others):
        raise ProviderError("reply_wrong_shape", fields="{}")
    return data, bool(others)


def _repaired(text: str) -> str:
    """Curly delimiters straightened and commas before a closing bracket dropped, never inside a string."""
    if "“" in text or "”" in text:
        text = _CURLY.sub(lambda m: m.group() if m.group().startswith('"') else f'{m.group(1) or ""}"', text)
    return _SLOPPY.sub(lambda m: "" if m.group() == "," else m.group(), text)


def _no_json(text: str) -> ProviderError:
    """Why there is no object in a text that is not blank: valid JSON of another kind, or none."""
    try:
        _decoder.decode(text.strip())
    except json.JSONDecodeError:
        pass
    except (ValueError, RecursionError):
        return ProviderError("reply_not_json", line=1, column=1)
    else:
        return ProviderError("reply_wrong_shape", fields="{}")
    start = max(text.find("{"), 0)
    try:
        _decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        return ProviderError("reply_not_json", line=error.lineno, column=error.colno)
    except (ValueError, RecursionError):
        pass
    return ProviderError("reply_not_json", line=text.count("\n", 0, start) + 1, column=1)


_WHY = {
    "reply_empty": "回答为空，没有 JSON。",
    "reply_not_json": "第 {line} 行第 {column} 列起不是有效的 JSON（也可能没有写完）。",
    "reply_wrong_shape": "JSON 缺少所需的字段，或字段的类型不对：{fields}（{{}} 指整个对象）。",
    "reply_too_large": "回答过长。",
}


def repair_messages(
    messages: Sequence[dict[str, str]], raw: str, error: ProviderError, wanted: str = ANNOTATION
) -> list[dict[str, str]]:
    """The conversation with the failed reply and one follow-up: its errors, and what is ``wanted``; ask it once.

    Reasoning and what exceeds :data:`MAX_RETURNED` code points of the reply is not sent back.
    """
    why = _WHY.get(error.code, "回答不合要求。").format_map(
        {"line": "?", "column": "?", "fields": "?", **error.details}
    )
    failed = without_reasoning(raw[:MAX_REPLY]).strip() if error.code != "reply_too_large" else ""
    if len(failed) > MAX_RETURNED:
        failed = failed[:MAX_RETURNED] + "……"
    follow_up = (
        f"上一次回答不能采用：{why}\n请针对同一段原文重新作答，只输出一个完整的 JSON 对象，"
        f"{wanted}不要代码围栏，不要解释。"
    )
    answered = [{"role": "assistant", "content": failed}] if failed else []
    return [*messages, *answered, {"role": "user", "content": follow_up}]
