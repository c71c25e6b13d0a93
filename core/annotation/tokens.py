"""Tokens of a text without a tokenizer: an estimate from above for rate limits, costs and the size of parts.

Qwen's, DeepSeek's and GLM's vocabularies need about 0.6 to 1 token for a common Chinese character; rare ones fall
apart into bytes. Counted here: 1 for a code point of U+4E00–9FFF and for CJK punctuation, as many as its UTF-8 bytes
for other code points beyond Latin, 1 for three of ASCII.
"""

from collections.abc import Iterable
from itertools import accumulate

_PER_MESSAGE = 8  # role, separators and the opening of the answer
_ANSWER_FRAME = 250
_ANSWER_PER_TOKEN = 6  # modern Chinese 1.5, English 2, entities and relations 2.5 for a token of the passage


def _thirds(char: str) -> int:
    """Thirds of a token, so that sums are exact."""
    if char < "\x80":
        return 1
    if "\u4e00" <= char <= "\u9fff" or "\u3000" <= char <= "\u303f" or "\uff00" <= char <= "\uffef":
        return 3
    return 3 * len(char.encode("utf-8", "surrogatepass"))


def cumulative_thirds(text: str) -> list[int]:
    """Thirds of a token of the text up to and with each code point."""
    return list(accumulate(map(_thirds, text)))


def text_tokens(text: str) -> int:
    """Tokens of a text, at most about."""
    return -(-sum(map(_thirds, text)) // 3)


def estimate_tokens(messages: Iterable[dict[str, str]]) -> int:
    """Tokens of the messages of a request, at most about."""
    return sum(text_tokens(message["content"]) + _PER_MESSAGE for message in messages)


def expected_output_tokens(text: str) -> int:
    """Tokens of a full answer about a passage: translations, entities and relations grow with it."""
    return _ANSWER_FRAME + _ANSWER_PER_TOKEN * text_tokens(text)


def budget_for(output_tokens: int) -> int:
    """The longest part, in tokens, whose expected answer fits into a model's limit of output tokens."""
    return max((output_tokens - _ANSWER_FRAME) // _ANSWER_PER_TOKEN, 0)
