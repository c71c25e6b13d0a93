"""What a job would cost, said before it starts."""

from dataclasses import dataclass

from sqlite_utils import Database

from core.annotation.endpoints import Endpoint
from core.annotation.prompts import Prompt
from core.annotation.tokens import estimate_tokens, expected_output_tokens
from db.connection import now
from db.passages import Passages
from workbench.tasks.asking import Asker


@dataclass(frozen=True)
class Estimate:
    """What a job would cost before it starts: passages to ask about, requests, tokens."""

    passages: int
    requests: int
    tokens_in: int
    tokens_out: int
    stored: int

    def cost(self, price_in: float, price_out: float) -> float:
        """In the currency of the prices, which are per million tokens."""
        return (self.tokens_in * price_in + self.tokens_out * price_out) / 1_000_000


def estimate(
    db: Database, ids: list[int], endpoint: Endpoint, prompt: Prompt, *, shots: int, sample: int = 200
) -> Estimate:
    """Estimate from the requests themselves; of more than ``sample`` passages, an even sample is counted and scaled."""
    asker = Asker(db, endpoint, prompt, shots=shots, asked_at=now())
    passages = Passages(db)
    step = max(len(ids) // sample, 1)
    looked_at = ids[::step]
    requests = tokens_in = tokens_out = stored = 0
    for passage_id in looked_at:
        passage = passages.get(passage_id)
        for question in asker.questions(passage):
            if asker.calls.stored(question.key):
                stored += 1
                continue
            requests += 1
            tokens_in += estimate_tokens(question.messages)
            tokens_out += expected_output_tokens(passage.text[question.part.start : question.part.end])
    scale = len(ids) / max(len(looked_at), 1)
    scaled = (round(number * scale) for number in (requests, tokens_in, tokens_out, stored))
    return Estimate(len(ids), *scaled)
