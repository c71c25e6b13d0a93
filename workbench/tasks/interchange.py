"""The user's ``annotations.json``: out with everything we know, in without touching a scholar's value."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from core.annotation.differing import differing_fields
from core.annotation.interchange import AnnotationRecord, ImageRef, read_annotations, write_annotations
from core.annotation.provider import Reply
from core.errors import InputError, SongclipError
from core.imaging.store import write_atomically
from core.records import Annotation
from core.texts.annotation import AnnotationValue, Status
from core.texts.fields import Rejected
from core.texts.offsets import reanchor
from core.texts.passage import NewPassage, Passage
from db.annotations import Annotations
from db.connection import transaction
from db.home import Home
from db.images import Images, Pairs
from db.passages import Passages
from db.suggestions import Suggestions

CONFIRMED = (Status.SUBMITTED, Status.APPROVED)
WHO = "annotations.json"


def statuses_named(name: str) -> tuple[Status, ...]:
    """One status, ``all``, or without a name what somebody confirmed; InputError ``status_unknown`` otherwise."""
    if not name:
        return CONFIRMED
    if name == "all":
        return tuple(Status)
    if name not in set(Status):
        raise InputError("status_unknown", status=name, known=", ".join((*Status, "all")))
    return (Status(name),)


def export_annotations(db: Database, target: Path, statuses: tuple[Status, ...]) -> int:
    """Write the annotations of these statuses, each labelled with its own; returns how many."""
    records = _records(db, statuses)
    write_atomically(target, write_annotations(records).encode())
    return len(records)


def annotations_json(home: Home, statuses: tuple[Status, ...]) -> bytes:
    """What :func:`export_annotations` writes, with a connection of its own: a download is made in another thread."""
    db = home.open()
    try:
        return write_annotations(_records(db, statuses)).encode()
    finally:
        db.conn.close()


def _records(db: Database, statuses: tuple[Status, ...]) -> list[AnnotationRecord]:
    return [_record(db, passage, annotation) for passage, annotation in Annotations(db).with_status(statuses)]


def _record(db: Database, passage: Passage, annotation: Annotation) -> AnnotationRecord:
    value = annotation.value
    provenance: dict[str, Any] = {"who": annotation.updated_by, "at": annotation.updated_at}
    suggestion = Suggestions(db).latest(passage) if annotation.status is Status.SUGGESTED else None
    if suggestion and suggestion.value:
        value = suggestion.value
        provenance |= {"provider": suggestion.provider, "model": suggestion.model, "prompt": suggestion.prompt_version}
    return AnnotationRecord(
        passage=NewPassage(
            passage.source,
            passage.chapter,
            passage.text,
            file_id=passage.file_id or str(passage.id),
            edition=passage.edition,
            page=passage.page,
            address=passage.address,
        ),
        value=value,
        status=annotation.status,
        provenance=provenance,
        images=tuple(ImageRef(image.sha256, image.title) for image in Pairs(db).images_of(passage.id)),
        revision=annotation.revision,
        generated=passage.generated,
    )


@dataclass
class InterchangeReport:
    """What became of the records of a file.

    ``conflicts`` are passages whose scholar's value says something else: ``passage``, ``source``, ``file_id`` and the
    ``fields`` that differ. What the file says of them is set aside, to be compared and merged at the desk.
    ``suggestions`` and ``drafts`` (discarded ones among them) are the records that stay so because the file calls
    them so, whatever all others were to become.
    """

    imported: int = 0
    passages_added: int = 0
    unchanged: int = 0
    suggestions: int = 0
    drafts: int = 0
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def conflict_line(conflict: Mapping[str, Any], say: Callable[..., str]) -> str:
    """One conflict of a report as a sentence; ``say`` gives the sentence of a catalogue key."""
    fields = say("annotations_file.and").join(say(f"parts.{name}") for name in conflict["fields"])
    where = " ".join(part for part in (conflict["source"], conflict["file_id"]) if part)
    return say("annotations_file.conflict", passage=conflict["passage"], where=where or "—", fields=fields)


def kept_lines(report: InterchangeReport, say: Callable[..., str]) -> list[str]:
    """What was not confirmed although others of the file were, as sentences; ``say`` as in :func:`conflict_line`."""
    counts = {"suggestions": report.suggestions, "drafts": report.drafts}
    return [say(f"annotations_file.kept_{name}", count=count) for name, count in counts.items() if count]


def import_annotations(home: Home, db: Database, data: bytes, status: str) -> InterchangeReport:
    """Read a file; each record is taken whole or reported.

    A record is matched by its text, then by source and file id; without a match its passage is added. What the
    file calls a suggestion stays one, beside a scholar's value as well: nobody has confirmed it, and no word about
    the whole file does. A draft stays a draft; all else becomes ``status``. A scholar's value is never overwritten.
    """
    parsed = read_annotations(data)
    if parsed.records:
        home.mark(db, "demo" if all(record.generated for record in parsed.records) else "person")
    report = InterchangeReport(rejected=list(parsed.rejected))
    for number, record in enumerate(parsed.records, 1):
        try:
            with transaction(db):
                _take(db, record, Status(status), report)
        except SongclipError as error:
            report.rejected.append(Rejected(f"#{number} {record.passage.source} {record.passage.file_id}", error))
    return report


def _take(db: Database, record: AnnotationRecord, status: Status, report: InterchangeReport) -> None:
    passage, value = _match(db, record, report)
    annotations = Annotations(db)
    current = annotations.get(passage.id)
    who = _person(record)
    _pair(db, passage.id, record)
    if record.status in (Status.NEW, Status.SUGGESTED):
        report.suggestions += 1
        latest = Suggestions(db).latest(passage)
        if latest and latest.value == value:
            report.unchanged += 1
            return
        known = {name: str(record.provenance.get(name, "")) for name in ("provider", "model", "prompt")}
        reply = Reply(value, "", known["provider"] or WHO, known["model"], prompt_version=known["prompt"])
        Suggestions(db).add(passage, reply)
    elif current.status not in (Status.NEW, Status.SUGGESTED):
        if fields := differing_fields(current.value, value):
            annotations.set_aside(passage.id, sitting=WHO, who=who, base=AnnotationValue(), value=value)
            named = {"passage": passage.id, "source": passage.source, "file_id": passage.file_id}
            report.conflicts.append({**named, "fields": list(fields)})
        else:
            report.unchanged += 1
        return
    else:
        unconfirmed = record.status in (Status.DRAFT, Status.DISCARDED)
        report.drafts += unconfirmed
        kept = record.status if unconfirmed else status
        annotations.save(passage.id, value, kept, version=current.version, who=who, why="imported")
    report.imported += 1


def _person(record: AnnotationRecord) -> str:
    """Whose value a record is; one that a machine suggested and somebody confirmed in the file is the file's."""
    who = str(record.provenance.get("who", ""))
    return who if who and "provider" not in record.provenance else WHO


def _match(db: Database, record: AnnotationRecord, report: InterchangeReport) -> tuple[Passage, AnnotationValue]:
    """The stored passage of a record, and the record's value with offsets that fit its stored text."""
    passages = Passages(db)
    new = record.passage
    same = passages.by_text(new.text)
    near = [passage for passage in same if passage.source == new.source and passage.chapter == new.chapter]
    if found := near or same:
        return found[0], record.value
    if new.file_id and (named := passages.by_file_id(new.source, new.file_id)):
        value, _ = reanchor(record.value, new.text, named[0].text)
        return named[0], value
    added = passages.add([new], generated=record.generated)
    report.passages_added += 1
    return passages.get(added.ids[0]), record.value


def _pair(db: Database, passage_id: int, record: AnnotationRecord) -> None:
    images = Images(db)
    found = [image for ref in record.images if (image := images.find(ref.sha256))]
    Pairs(db).add([(passage_id, image.id, "") for image in found], who=WHO)
