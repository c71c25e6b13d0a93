"""Asking a provider for suggestions, one passage or many."""

from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from core.annotation.provider import Provider, Reply
from core.annotation.rules import OfflineRules
from core.errors import InputError
from core.progress import Progress, stop_if_asked
from core.texts.annotation import Status
from db.annotations import Suggestions
from db.passages import PassageFilter, Passages
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


def annotate_job(context: JobContext, params: dict[str, Any]) -> dict[str, Any]:
    """Job: ``provider``, and ``ids`` or the first ``limit`` passages that are new."""
    ids = params.get("ids") or Passages(context.db).ids(PassageFilter(status=Status.NEW))
    if params.get("limit"):
        ids = ids[: params["limit"]]
    counted = annotate(context.db, ids, provider_named(params["provider"]), context.progress)
    return {"job": context.job_id, **vars(counted)}
