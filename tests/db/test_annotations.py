from dataclasses import replace

import pytest

from core.annotation.provider import Reply
from core.errors import ConflictError, InputError, NotFoundError, ProviderError
from core.texts.annotation import AnnotationValue, Entity, Relation, Status
from db.annotations import Annotations
from db.passages import Passages
from db.suggestions import Suggestions


@pytest.fixture
def annotations(db):
    return Annotations(db)


@pytest.fixture
def suggestions(db):
    return Suggestions(db)


def reply(value, **fields):
    return Reply(value, "as it came", "offline", "rules-1", **fields)


def test_an_untouched_passage_is_new_at_revision_nought(annotations, passage):
    annotation = annotations.get(passage.id)
    assert (annotation.status, annotation.revision, annotation.value) == (Status.NEW, 0, AnnotationValue())


def test_every_change_is_a_revision(annotations, passage, value):
    annotations.save(passage.id, value, Status.DRAFT, version=0, who="甲", why="edited")
    changed = replace(value, note="待考")
    saved = annotations.save(passage.id, changed, Status.APPROVED, version=1, who="乙", why="approved")
    assert annotations.get(passage.id) == saved
    assert (saved.revision, saved.value, saved.updated_by) == (2, changed, "乙")
    newest, oldest = annotations.history(passage.id)
    assert (newest.revision, newest.status, newest.value, newest.who, newest.why) == (
        2,
        Status.APPROVED,
        changed,
        "乙",
        "approved",
    )
    assert (oldest.revision, oldest.status, oldest.value, oldest.who) == (1, Status.DRAFT, value, "甲")
    assert newest.at == saved.updated_at >= oldest.at


@pytest.mark.parametrize("stale", [0, 2, -1])
def test_a_save_on_another_revision_is_refused(annotations, passage, value, stale):
    saved = annotations.save(passage.id, value, Status.DRAFT, version=0, who="甲", why="edited")
    with pytest.raises(ConflictError) as raised:
        annotations.save(passage.id, AnnotationValue(), Status.DRAFT, version=stale, who="乙", why="edited")
    assert raised.value.code == "annotation_changed"
    assert raised.value.details["who"] == "甲"
    assert annotations.get(passage.id) == saved
    assert len(annotations.history(passage.id)) == 1


def test_a_stale_save_is_told_so_even_where_its_offsets_fit_no_more(db, annotations, passage, value):
    annotations.save(passage.id, value, Status.DRAFT, version=0, who="甲", why="edited")
    passages = Passages(db)
    passages.update(replace(passage, text="德寿宫"), who="甲")
    shorter = replace(value, entities=(value.entities[0],), relations=())
    annotations.save(passage.id, shorter, Status.DRAFT, version=1, who="甲", why="text_corrected")
    with pytest.raises(ConflictError):
        annotations.save(passage.id, value, Status.DRAFT, version=1, who="乙", why="edited")


def broken_values(value):
    entity = value.entities[0]
    yield replace(value, entities=(replace(entity, mentions=((0, 99),)), value.entities[1]))
    yield replace(value, entities=(replace(entity, mentions=((3, 3),)), value.entities[1]))
    yield replace(value, entities=(replace(entity, mentions=((-3, 0),)), value.entities[1]))
    yield replace(value, relations=(Relation("e1", "east_of", "e9"),))
    yield replace(value, relations=(Relation("e1", "east_of", "e2", evidence=(3, 99)),))
    yield replace(value, entities=(*value.entities, Entity("e1", "秦太师")))


@pytest.mark.parametrize("number", range(6))
def test_what_does_not_fit_the_text_is_refused(annotations, passage, value, number):
    broken = list(broken_values(value))[number]
    with pytest.raises(InputError):
        annotations.save(passage.id, broken, Status.DRAFT, version=0, who="甲", why="edited")
    assert annotations.get(passage.id).revision == 0
    assert annotations.history(passage.id) == []


def test_the_text_ends_where_its_last_code_point_ends(annotations, passage):
    whole = AnnotationValue(entities=(Entity("e1", passage.text, mentions=((0, len(passage.text)),)),))
    assert annotations.save(passage.id, whole, Status.DRAFT, version=0, who="甲", why="edited").value == whole


def test_a_passage_that_never_was(annotations, value):
    with pytest.raises(NotFoundError):
        annotations.save(99, value, Status.DRAFT, version=0, who="甲", why="edited")


def test_listed_by_status_without_the_deleted(db, annotations, passage, value):
    annotations.save(passage.id, value, Status.APPROVED, version=0, who="甲", why="approved")
    ((found, annotation),) = annotations.with_status([Status.SUBMITTED, Status.APPROVED])
    assert (found, annotation.value) == (passage, value)
    assert annotations.with_status([Status.DRAFT]) == [] == annotations.with_status([])
    Passages(db).delete([passage.id])
    assert annotations.with_status([Status.APPROVED]) == []


def test_a_suggestion_is_kept_as_it_came(suggestions, passage, value):
    suggestions.add(
        passage,
        reply(
            value, prompt_version="3", parameters={"temperature": 0.1}, tokens_in=5, tokens_out=7, missing=("english",)
        ),
    )
    stored = suggestions.latest(passage)
    assert (stored.raw, stored.value, stored.provider, stored.model) == ("as it came", value, "offline", "rules-1")
    assert (stored.prompt_version, stored.parameters, stored.missing) == ("3", {"temperature": 0.1}, ("english",))
    assert (stored.tokens_in, stored.tokens_out, stored.error) == (5, 7, "")
    assert stored.created_at


def test_a_suggestion_marks_a_new_passage_and_gives_the_scholar_no_value(annotations, suggestions, passage, value):
    suggestions.add(passage, reply(value))
    annotation = annotations.get(passage.id)
    assert (annotation.status, annotation.value) == (Status.SUGGESTED, AnnotationValue())
    assert annotations.history(passage.id)[0].who == "offline:rules-1"


@pytest.mark.parametrize("status", [Status.DRAFT, Status.SUBMITTED, Status.APPROVED, Status.DISCARDED])
def test_a_suggestion_never_touches_a_scholar_s_value(annotations, suggestions, passage, value, status):
    saved = annotations.save(passage.id, value, status, version=0, who="甲", why="edited")
    suggestions.add(passage, reply(AnnotationValue(note="by a machine")))
    assert annotations.get(passage.id) == saved
    assert len(annotations.history(passage.id)) == 1


def test_a_reply_that_could_not_be_read_is_kept_too(annotations, suggestions, passage, value):
    suggestions.add(passage, reply(None, error=ProviderError("reply_unreadable")))
    assert annotations.get(passage.id).status is Status.NEW
    assert suggestions.latest(passage) is None
    assert suggestions.failed([]) == suggestions.failed([passage.id]) == [(passage.id, "reply_unreadable")]
    assert suggestions.failed([passage.id + 1]) == []
    suggestions.add(passage, reply(value))
    assert suggestions.failed([]) == []
    assert [s.error for s in suggestions.of(passage.id)] == ["", "reply_unreadable"]


def test_a_corrected_text_outdates_the_suggestion(db, suggestions, passage, value):
    suggestions.add(passage, reply(value))
    passages = Passages(db)
    passages.update(replace(passage, text="德寿宫在望仙桥西"), who="甲")
    assert suggestions.latest(passages.get(passage.id)) is None
    assert len(suggestions.of(passage.id)) == 1
