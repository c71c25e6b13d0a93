"""Writing stale texts anew: one passage, only the texts that are asked for, stored as a suggestion of those alone."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlite_utils import Database

from core.annotation.endpoints import Endpoint, endpoint_for
from core.annotation.parsing import Parsed
from core.annotation.parts import Part, split
from core.annotation.prompts import Prompt
from core.annotation.provider import Reply
from core.annotation.redrafting import (
    TRANSLATIONS,
    checked_parts,
    parse_redraft,
    part_of,
    redraft_by_rules,
    redraft_messages,
    redraft_repair,
    value_of,
)
from core.annotation.reply import Problem
from core.annotation.rules import OfflineRules
from core.errors import InputError, ProviderError
from core.records import Annotation
from core.texts.annotation import AnnotationValue, Status, TextField
from core.texts.passage import Passage
from db.annotations import Annotations
from db.jobs import Jobs
from db.passages import Passages
from db.prompts import Prompts
from db.suggestions import Suggestions
from workbench.jobs.kinds import JobContext
from workbench.tasks.asking import PART_TOKENS, Asker, Messages, ask_with


class Redrafter(Asker):
    """Asks for some texts of one passage, from the annotation as it stands."""

    def __init__(
        self,
        db: Database,
        endpoint: Endpoint,
        prompt: Prompt,
        *,
        annotation: Annotation,
        parts: Sequence[TextField],
        since: str = "",
        job_id: int | None = None,
    ) -> None:
        super().__init__(db, endpoint, prompt, shots=0, asked_at="", since=since, job_id=job_id)
        self.annotation, self.parts = annotation, tuple(parts)

    def messages(self, passage: Passage) -> list[tuple[Part, Messages]]:
        """A passage whose translation would be too long for one answer is asked about in parts."""
        text, value = passage.text, self.annotation.value
        in_parts = split(text, PART_TOKENS) if set(self.parts) & set(TRANSLATIONS) else ()
        if len(in_parts) < 2:
            return [(Part(0, len(text)), redraft_messages(self.prompt, text, value, self.parts))]
        return [
            (
                part,
                redraft_messages(
                    self.prompt,
                    text[part.start : part.end],
                    part_of(value, part),
                    self.parts,
                    context_before=part.context_before,
                    context_after=part.context_after,
                ),
            )
            for part in in_parts
        ]

    def read(self, raw: str, text: str, context: str) -> Parsed:
        """The texts of a reply, in a value that holds nothing else."""
        return Parsed(value_of(parse_redraft(raw, self.parts)))

    def repair(self, messages: Messages, raw: str, error: ProviderError) -> Messages:
        """See :meth:`Asker.repair`."""
        return redraft_repair(messages, raw, error, self.parts)

    def reply(
        self,
        value: AnnotationValue | None,
        *,
        raw: str,
        error: ProviderError | None = None,
        problems: Sequence[Problem] = (),
    ) -> Reply:
        """See :meth:`Asker.reply`; ``parts`` among the parameters tells a redraft from a whole reading."""
        reply = super().reply(value, raw=raw, error=error, problems=problems)
        made = {"parts": list(self.parts), "revision": self.annotation.revision}
        return replace(reply, parameters={**reply.parameters, **made}, missing=())


def redraft_job(context: JobContext, params: dict[str, Any]) -> dict[str, Any]:
    """Job: ``passage``, ``parts`` and ``provider``, with ``endpoint`` and ``prompt`` where they are not the usual ones.

    It ends as failed when there is no redraft: one passage is all it was asked for.
    """
    endpoint = Endpoint(**params["endpoint"]) if "endpoint" in params else endpoint_for(params["provider"])
    asker = Redrafter(
        context.db,
        endpoint,
        Prompts(context.db).get(params.get("prompt", "")),
        annotation=_confirmed(context.db, params["passage"]),
        parts=checked_parts(params["parts"]),
        since=params.get("retry_since", ""),
        job_id=context.job_id,
    )
    result = ask_with(context, asker, [params["passage"]])
    if result["failures"]:
        failure = result["failures"][0]
        raise ProviderError(failure["error"], **failure["details"])
    return result


def redraft_now(db: Database, passage_id: int, parts: Iterable[str]) -> Reply:
    """Write those of the texts that the offline rules can, and store them as a suggestion; the others are ``missing``.

    Raises InputError ``redraft_needs_model`` when they can write none of them.
    """
    asked = checked_parts(parts)
    annotation = _confirmed(db, passage_id)
    written = redraft_by_rules(annotation.value, asked)
    if not written:
        raise InputError("redraft_needs_model", parts=", ".join(asked))
    reply = Reply(
        value=value_of(written),
        raw=json.dumps(written, ensure_ascii=False),
        provider=OfflineRules.name,
        model=OfflineRules.model,
        prompt_version=OfflineRules.model,
        parameters={"parts": list(written), "revision": annotation.revision},
        missing=tuple(part for part in asked if part not in written),
    )
    Suggestions(db).add(Passages(db).get(passage_id), reply)
    return reply


def _confirmed(db: Database, passage_id: int) -> Annotation:
    """The annotation that somebody made; InputError ``redraft_unconfirmed`` where there is a machine's only."""
    annotation = Annotations(db).get(passage_id)
    if annotation.status in (Status.NEW, Status.SUGGESTED):
        raise InputError("redraft_unconfirmed", id=passage_id)
    return annotation


def latest_endpoint(db: Database) -> dict[str, Any] | None:
    """``provider``, ``endpoint`` and ``prompt`` of the newest annotation job that asked a model: what the desk asks."""
    job = Jobs(db).newest("annotate", having="endpoint")
    return {name: job.params[name] for name in ("provider", "endpoint", "prompt")} if job else None
