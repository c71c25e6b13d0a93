"""Asking a model for suggestions: many passages at once, each reply paid once, whatever happens in between."""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlite_utils import Database

from core.annotation.client import ChatClient, test_connection
from core.annotation.endpoints import Endpoint, resolve_key
from core.annotation.engine import request_key, run
from core.annotation.examples import Example, Pool
from core.annotation.failures import CallError, RawReply
from core.annotation.parsing import Parsed, parse_model_reply, repair_messages
from core.annotation.parts import Part, merge, split
from core.annotation.prompts import Prompt, render
from core.annotation.provider import Reply
from core.annotation.reply import Problem
from core.annotation.tokens import budget_for, estimate_tokens, expected_output_tokens
from core.errors import ProviderError, Stopped
from core.texts.annotation import AnnotationValue
from core.texts.passage import Passage
from db.annotations import Annotations
from db.connection import now
from db.jobs import Jobs
from db.passages import Passages
from db.prompts import Call, Calls, Prompts
from db.suggestions import Suggestions
from workbench.jobs.kinds import JobContext

PART_TOKENS = budget_for(8192)
"""Tokens of passage text asked about at once: the answer fits what most models may write. More goes in parts."""

Messages = list[dict[str, str]]


@dataclass(frozen=True)
class Question:
    """One request about one part of a passage; the same request has the same key for ever."""

    part: Part
    messages: Messages
    key: str
    estimated: int


@dataclass
class Asked:
    """What a job came to; ``reused`` replies were stored already and cost nothing."""

    done: int = 0
    failed: int = 0
    skipped: int = 0
    calls: int = 0
    reused: int = 0
    tokens_in: int = 0
    tokens_out: int = 0


class Asker:
    """Everything one job needs to ask about a passage: endpoint, prompt, examples, and what is stored."""

    def __init__(
        self,
        db: Database,
        endpoint: Endpoint,
        prompt: Prompt,
        *,
        shots: int,
        asked_at: str,
        since: str = "",
        job_id: int | None = None,
    ) -> None:
        self.db, self.endpoint, self.prompt, self.since, self.job_id = db, endpoint, prompt, since, job_id
        self.calls, self.suggestions = Calls(db), Suggestions(db)
        self.shots = shots
        # As they stood when the job was asked for: resumed tomorrow, it makes the same requests and pays none twice.
        self.pool = Pool(approved_examples(db, asked_at) if shots else [])
        self.asked = Asked()

    def questions(self, passage: Passage) -> list[Question]:
        """The requests about a passage, the same each time."""
        found = []
        for part, messages in self.messages(passage):
            estimated = estimate_tokens(messages) + expected_output_tokens(passage.text[part.start : part.end])
            found.append(Question(part, messages, self.key(messages), estimated))
        return found

    def messages(self, passage: Passage) -> list[tuple[Part, Messages]]:
        """What is said to the model about each part of a passage."""
        examples = self.pool.nearest(passage.text, self.shots)
        return [
            (
                part,
                render(
                    self.prompt,
                    passage.text[part.start : part.end],
                    examples=examples,
                    context_before=part.context_before,
                    context_after=part.context_after,
                ),
            )
            for part in split(passage.text, PART_TOKENS)
        ]

    def read(self, raw: str, text: str, context: str) -> Parsed:
        """A reply about the text of one part; ProviderError where it cannot be used."""
        return parse_model_reply(raw, text, context=context)

    def repair(self, messages: Messages, raw: str, error: ProviderError) -> Messages:
        """What is said to the model when its reply could not be read."""
        return repair_messages(messages, raw, error)

    def key(self, messages: Messages) -> str:
        """The hash by which a reply to these messages is found again."""
        return request_key(self.endpoint.base_url, self.endpoint.model, messages, self.endpoint.parameters())

    def suggestion_key(self, questions: list[Question]) -> str:
        """The key of the suggestion that all parts make together; a retry that a person asked for has its own."""
        return hashlib.sha256("\n".join([self.since, *(q.key for q in questions)]).encode()).hexdigest()

    async def ask(self, client: ChatClient, passage: Passage, should_stop: Callable[[], bool]) -> None:
        """Ask about one passage and store the suggestion; raises ProviderError with everything stored so far kept."""
        questions = self.questions(passage)
        read, raws = [], []
        for question in questions:
            parsed, raw = await self._part(client, passage, question, should_stop)
            read.append((question.part, parsed))
            raws.append(raw)
        value = merge(passage.text, [(part, parsed.value) for part, parsed in read])
        self.suggestions.add(
            passage,
            self.reply(value, raw="\n\n".join(raws), problems=[p for _, parsed in read for p in parsed.problems]),
            key=self.suggestion_key(questions),
            job_id=self.job_id,
        )

    async def _part(
        self, client: ChatClient, passage: Passage, question: Question, should_stop: Callable[[], bool]
    ) -> tuple[Parsed, str]:
        """What was read of one part, and the reply it was read from: the second, where the first went back."""
        text = passage.text[question.part.start : question.part.end]
        raw = await self._paid_once(client, passage, question.messages, question.estimated, should_stop)
        context = question.part.context_before + question.part.context_after
        try:
            return await asyncio.to_thread(self.read, raw, text, context), raw
        except ProviderError as error:
            # Once more, with what was wrong named; what still fails is kept raw and shown.
            again = self.repair(question.messages, raw, error)
            estimated = question.estimated + estimate_tokens(again[-2:])
            raw = await self._paid_once(client, passage, again, estimated, should_stop)
            return await asyncio.to_thread(self.read, raw, text, context), raw

    async def _paid_once(
        self,
        client: ChatClient,
        passage: Passage,
        messages: Messages,
        estimated: int,
        should_stop: Callable[[], bool],
    ) -> str:
        key = self.key(messages)
        stored = self.calls.stored(key, since=self.since)
        if stored:
            self.asked.reused += 1
            if stored.error:
                raise ProviderError(stored.error, endpoint=self.endpoint.label, said="—", attempts=1, status="—")
            return stored.raw
        try:
            reply = await client.ask(messages, estimated, should_stop=should_stop)
        except CallError as error:
            self._store(key, passage, error.reply, error.code)
            raise
        self._store(key, passage, reply, "")
        return reply.text

    def _store(self, key: str, passage: Passage, reply: RawReply | None, error: str) -> None:
        self.asked.calls += 1
        call = Call(key, passage.id, self.endpoint.base_url, self.endpoint.model, "", error=error)
        if reply:
            self.asked.tokens_in += reply.tokens_in
            self.asked.tokens_out += reply.tokens_out
            call = Call(
                key,
                passage.id,
                self.endpoint.base_url,
                reply.model or self.endpoint.model,
                reply.text,
                finish_reason=reply.finish_reason,
                error=error,
                tokens_in=reply.tokens_in,
                tokens_out=reply.tokens_out,
                seconds=reply.seconds,
            )
        self.calls.add(call, job_id=self.job_id)

    def reply(
        self,
        value: AnnotationValue | None,
        *,
        raw: str,
        error: ProviderError | None = None,
        problems: Sequence[Problem] = (),
    ) -> Reply:
        """A suggestion with where it came from, and what a scholar should look at in it."""
        missing = tuple(
            name for name in ("modern_chinese", "english") if value is not None and not getattr(value, name)
        )
        return Reply(
            value=value,
            raw=raw,
            provider=self.endpoint.preset_name,
            model=self.endpoint.model,
            prompt_version=self.prompt.id,
            parameters={
                **self.endpoint.parameters(),
                "examples": self.shots,
                "address": self.endpoint.base_url,
                "problems": [asdict(problem) for problem in problems],
            },
            missing=missing,
            error=error,
        )


def approved_examples(db: Database, asked_at: str) -> list[Example]:
    """The annotations that were approved at that time, as they were then: examples a prompt may carry."""
    return [Example(text, value) for text, value in Annotations(db).approved_at(asked_at)]


def ask_many(context: JobContext, params: Mapping[str, Any], ids: list[int]) -> dict[str, Any]:
    """Ask about many passages at once; the endpoint, prompt and limits are in ``params``."""
    asker = Asker(
        context.db,
        Endpoint(**params["endpoint"]),
        Prompts(context.db).get(params.get("prompt", "")),
        shots=params.get("examples", 0),
        asked_at=Jobs(context.db).get(context.job_id).created_at,
        # A retry is a new attempt: replies stored before it was asked for do not count, those since do.
        since=params.get("retry_since", ""),
        job_id=context.job_id,
    )
    return ask_with(context, asker, ids, concurrency=params.get("concurrency", 8))


def ask_with(context: JobContext, asker: Asker, ids: list[int], *, concurrency: int = 1) -> dict[str, Any]:
    """Ask about these passages and store what comes; returns the counts and failures of the job.

    A passage whose suggestion is stored is skipped, a stored reply is not asked for again. An error that would
    meet every passage (a wrong key) ends the job at once with what came so far kept, and is raised.
    """
    key = resolve_key(asker.endpoint, context.key, os.environ)
    counter = _Counter(context, asker, ids)

    async def everything() -> ProviderError | None:
        async with ChatClient(asker.endpoint, key) as client:
            report = await run(
                counter.waiting,
                lambda passage: asker.ask(client, passage, context.progress.should_stop),
                concurrency=concurrency,
                on_done=counter.done,
                should_stop=context.progress.should_stop,
            )
        if report.stopped:
            raise Stopped
        return report.fatal

    fatal = asyncio.run(everything())
    counter.report()
    if fatal:
        raise fatal
    asked = asdict(asker.asked)
    return {
        "job": context.job_id,
        **asked,
        "tokens": asked["tokens_in"] + asked["tokens_out"],
        "failures": counter.failures,
    }


class _Counter:
    """Counts what is over, stores what failed, and reports."""

    def __init__(self, context: JobContext, asker: Asker, ids: list[int]) -> None:
        self.context, self.asker, self.total = context, asker, len(ids)
        self.failures: list[dict[str, Any]] = []
        self.began = time.monotonic()
        passages = Passages(context.db)
        self.waiting = []
        for passage_id in ids:
            passage = passages.get(passage_id)
            if asker.suggestions.has(passage_id, asker.suggestion_key(asker.questions(passage))):
                asker.asked.skipped += 1
            else:
                self.waiting.append(passage)
        self.report()

    def done(self, passage: Passage, result: object) -> None:
        """One passage is over, with a suggestion or a failure that is kept and shown."""
        asked = self.asker.asked
        if isinstance(result, ProviderError):
            asked.failed += 1
            details = {name: str(value) for name, value in result.details.items()}
            self.failures.append({"passage": passage.id, "error": result.code, "details": details})
            last = Calls(self.context.db).last_of(passage.id, self.context.job_id)
            failed = self.asker.reply(None, raw=last.raw if last else "", error=result)
            self.asker.suggestions.add(passage, failed, job_id=self.context.job_id)
        else:
            asked.done += 1
        self.report()

    def report(self) -> None:
        """Counts, tokens and the time left, for the row."""
        asked = self.asker.asked
        over = asked.done + asked.failed
        pace = (time.monotonic() - self.began) / over if over else 0.0
        left = round(pace * (len(self.waiting) - over))
        self.context.progress.report(
            asked.skipped + over,
            self.total,
            "progress.asking",
            ok=asked.done,
            failed=asked.failed,
            tokens=asked.tokens_in + asked.tokens_out,
            minutes=f"{left // 60}:{left % 60:02d}",
        )


def retry_params(params: Mapping[str, Any], ids: list[int]) -> dict[str, Any]:
    """The parameters of a job that asks about these passages anew, because a person wants it."""
    return {**params, "ids": ids, "retry_since": now()}


async def try_connection(endpoint: Endpoint, key: str) -> RawReply:
    """One tiny call, for the button; raises ProviderError with what is wrong."""
    async with ChatClient(endpoint, key) as client:
        return await test_connection(client)
