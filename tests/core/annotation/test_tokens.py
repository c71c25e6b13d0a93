import pytest

from core.annotation.tokens import budget_for, cumulative_thirds, estimate_tokens, expected_output_tokens, text_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("德寿宫。", 4), ("abc", 1), ("abcd", 2), ("𠮷", 4), ("㐀", 3), ("é", 2), ("\ud800", 3)],
)
def test_tokens_of_a_text(text: str, tokens: int) -> None:
    assert text_tokens(text) == tokens
    sums = cumulative_thirds(text)
    assert len(sums) == len(text)
    assert not sums or text_tokens(text) - 1 < sums[-1] / 3 <= text_tokens(text)


def test_messages_cost_more_than_their_text() -> None:
    messages = [{"role": "system", "content": "德寿宫"}, {"role": "user", "content": "abc"}]
    assert estimate_tokens(messages) > text_tokens("德寿宫") + text_tokens("abc")
    assert estimate_tokens([]) == 0


@pytest.mark.parametrize("limit", [0, 100, 1024, 8192])
def test_an_answer_about_a_part_within_the_budget_fits_the_limit(limit: int) -> None:
    budget = budget_for(limit)
    assert budget >= 0
    assert budget == 0 or expected_output_tokens("桥" * budget) <= limit < expected_output_tokens("桥" * (budget + 1))
