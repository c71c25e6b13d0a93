"""Asking a provider for suggestions, one passage or many."""

import os
from dataclasses import asdict, dataclass
from typing import Any

from sqlite_utils import Database

from core.annotation.provider import Provider, Reply
from core.annotation.rules import OfflineRules
from core.errors import InputError
from core.progress import Progress, stop_if_asked
from core.texts.annotation import Status
from db.passages import PassageFilter, Passages
from db.suggestions import Suggestions
from workbench.jobs.kinds import JobContext

PROVIDERS = ("offline",)


@dataclass
class Annotated:
    """What an annotation job came to."""

    done: int = 0
    failed: int = 0
    skipped: int = 0
    calls: int = 0
    tokens: int = 0


def provider_named(name: str) -> Provider:
    """The provider; InputError names those there are."""
    if name not in PROVIDERS:
        raise InputError("provider_unknown", name=name, known=", ".join(PROVIDERS))

    return OfflineRules()


def job_params(
    db: Database, provider: str, *, model: str, base_url: str, concurrency: int, prompt: str, examples: int
) -> dict[str, Any]:
    """The parameters of an annotation job; a mistake in them is said before the job is recorded.

    Raises ProviderError for an unknown provider, an address that cannot be used or a key that the environment lacks,
    NotFoundError for an unknown prompt.
    """
    from core.annotation.endpoints import endpoint_for, resolve_key
    from db.prompts import Prompts

    if provider in PROVIDERS:
        return {"provider": provider}
    endpoint = endpoint_for(provider, base_url=base_url, model=model)
    resolve_key(endpoint, "", os.environ)
    return {
        "provider": provider,
        "endpoint": asdict(endpoint),
        "prompt": Prompts(db).get(prompt).id,
        "examples": examples,
        "concurrency": concurrency,
    }


def suggest(db: Database, passage_id: int, provider: Provider) -> Reply:
    """Ask for one passage and store the reply, whatever it is."""
    passage = Passages(db).get(passage_id)
    reply = provider.suggest(passage)
    Suggestions(db).add(passage, reply)
    return reply


def annotate(db: Database, ids: list[int], provider: Provider, progress: Progress) -> Annotated:
    """Ask for each passage that has no suggestion of this provider and model on its present text yet."""
    counted = Annotated()
    suggestions, passages = Suggestions(db), Passages(db)
    for number, passage_id in enumerate(ids, 1):
        stop_if_asked(progress)
        latest = suggestions.latest(passages.get(passage_id))
        if latest and (latest.provider, latest.model) == (provider.name, provider.model):
            counted.skipped += 1
        else:
            reply = suggest(db, passage_id, provider)
            counted.calls += 1
            counted.tokens += reply.tokens_in + reply.tokens_out
            if reply.error:
                counted.failed += 1
            else:
                counted.done += 1
        progress.report(number, len(ids), "progress.annotating")
    return counted


def narrowed(db: Database, ids: list[int], tried: str, prompt: str = "") -> list[int]:
    """Of these passages all, those never asked about, or those whose newest reply could not be read.

    With ``prompt`` only those that were asked about with that prompt version.
    """
    if prompt:
        with_prompt = Suggestions(db).asked_about(prompt)
        ids = [passage_id for passage_id in ids if passage_id in with_prompt]
    if tried == "never":
        known = Suggestions(db).asked_about()
        return [passage_id for passage_id in ids if passage_id not in known]
    if tried == "failed":
        failed = {passage_id for passage_id, _ in Suggestions(db).failed(ids)}
        return [passage_id for passage_id in ids if passage_id in failed]
    return ids


def annotate_job(context: JobContext, params: dict[str, Any]) -> dict[str, Any]:
    """Job: ``provider`` and ``ids``, with the endpoint, prompt and limits where a model is asked."""
    ids = params["ids"] if "ids" in params else Passages(context.db).ids(PassageFilter(status=Status.NEW))
    if params["provider"] not in PROVIDERS:
        from workbench.tasks.asking import ask_many

        return ask_many(context, params, ids)
    counted = annotate(context.db, ids, provider_named(params["provider"]), context.progress)
    return {"job": context.job_id, **vars(counted)}
