"""Redrafting from the desk: a real server on loopback, a real job, and the rules without either."""

import importlib.util
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from core.annotation.endpoints import endpoint_for
from core.annotation.prompts import DEFAULT_PROMPT
from core.errors import InputError, SongclipError
from core.progress import Silent
from core.records import JobState
from core.texts.annotation import AnnotationValue, Entity, Relation, Status
from core.texts.passage import NewPassage
from db.annotations import Annotations
from db.jobs import Jobs
from db.passages import Passages
from db.prompts import Prompts
from db.suggestions import Suggestions
from workbench.jobs.running import run_in_foreground, run_job, submit
from workbench.tasks.annotating import suggest
from workbench.tasks.asking import retry_params
from workbench.tasks.redrafting import latest_endpoint, redraft_now

_spec = importlib.util.spec_from_file_location(
    "chat_server", Path(__file__).parents[1] / "core" / "annotation" / "chat_server.py"
)
chat_server = importlib.util.module_from_spec(_spec)
sys.modules["chat_server"] = chat_server
_spec.loader.exec_module(chat_server)

TEXT = "𠮷德寿宫在望仙桥东，元系秦太师赐第。"
VALUE = AnnotationValue(
    entities=(
        Entity("e1", "德寿宫", type="palace", mentions=((1, 4),)),
        Entity("e2", "望仙桥", type="bridge", mentions=((5, 8),)),
        Entity("e3", "秦太师", kind="person", mentions=((12, 15),), modern="秦桧", english="Qin Hui"),
    ),
    relations=(Relation("e1", "east_of", "e2", evidence=(1, 9)),),
    modern_chinese="旧译",
    english="Old.",
)


@pytest.fixture
def passage(db):
    """One passage with a whole suggestion, and the scholar's approved value of it."""
    (passage_id,) = Passages(db).add([NewPassage("梦粱录", "卷八", TEXT)]).ids
    Suggestions(db).add(Passages(db).get(passage_id), whole_reply())
    save(db, passage_id, VALUE, Status.APPROVED)
    return Passages(db).get(passage_id)


def whole_reply():
    from core.annotation.provider import Reply

    return Reply(VALUE, "{}", "local", "m", "default-v1", {"problems": []})


def save(db, passage_id, value, status):
    annotations = Annotations(db)
    version = annotations.get(passage_id).version
    return annotations.save(passage_id, value, status, version=version, who="王", why="approved")


def params(server, passage, parts=("modern_chinese", "english"), **changed):
    endpoint = endpoint_for("local", base_url=server.base_url, model="m", timeout=20.0)
    asked = {"passage": passage.id, "parts": list(parts), "provider": "local", "endpoint": asdict(endpoint)}
    return {**asked, "prompt": DEFAULT_PROMPT.id, **changed}


def redraft(home, given):
    return run_in_foreground(home, "redraft", given, Silent()).result


def test_a_redraft_is_a_suggestion_of_those_texts_alone(home, db, passage):
    before, mine = Suggestions(db).latest(passage), Annotations(db).get(passage.id)
    with chat_server.ChatServer() as server:
        result = redraft(home, params(server, passage))
        (call,) = server.calls
    assert (result["done"], result["failed"], result["calls"]) == (1, 0, 1)
    newest = Suggestions(db).of(passage.id)[0]
    assert newest.value == AnnotationValue(
        modern_chinese=f"今译：{TEXT[:20]}", english=f"A passage of {len(TEXT)} characters."
    )
    assert (newest.provider, newest.model, newest.prompt_version) == ("local", "m", "default-v1")
    assert newest.parameters["parts"] == ["modern_chinese", "english"]
    assert newest.parameters["revision"] == mine.revision
    assert (newest.missing, newest.error, newest.job_id) == ((), "", result["job"])
    assert json.loads(newest.raw)["english"] == newest.value.english
    assert call.passage == TEXT and "秦桧" in call.asked and "旧译" not in call.asked
    # Neither the scholar's value nor the newest whole reading is touched.
    assert Annotations(db).get(passage.id) == mine
    assert Suggestions(db).latest(passage) == before


def test_the_same_question_is_paid_once_and_a_decision_makes_a_new_one(home, db, passage):
    with chat_server.ChatServer() as server:
        redraft(home, params(server, passage))
        again = redraft(home, params(server, passage))
        assert (again["skipped"], again["calls"], len(server.calls)) == (1, 0, 1)
        save(db, passage.id, replace(VALUE, entities=VALUE.entities[:2]), Status.APPROVED)
        assert redraft(home, params(server, passage))["calls"] == 1
        save(db, passage.id, VALUE, Status.APPROVED)
        anew = retry_params(params(server, passage), [])
        assert redraft(home, anew)["calls"] == 1
    assert len(Suggestions(db).of(passage.id)) == 4


def test_a_call_is_stored_before_it_is_read(home, db, passage):
    """The reply cannot be read twice; asked again it is not paid again."""
    with chat_server.ChatServer(script=lambda call: "notjson") as server:
        with pytest.raises(SongclipError) as caught:
            redraft(home, params(server, passage))
        assert caught.value.code == "reply_not_json"
        assert len(server.calls) == 2
        failed = Suggestions(db).of(passage.id)[0]
        with pytest.raises(SongclipError):
            redraft(home, params(server, passage))
        assert len(server.calls) == 2
    job = Jobs(db).page(kind="redraft")[0]
    assert (job.state, job.error) == (JobState.FAILED, "reply_not_json")
    assert (failed.value, failed.error, failed.raw) == (None, "reply_not_json", "对不起，我不能回答。")
    assert failed.parameters["parts"] == ["modern_chinese", "english"]


def test_a_reply_of_the_wrong_shape_goes_back_once_with_what_is_wanted(home, db, passage):
    with chat_server.ChatServer(rules={TEXT: "shape*1"}) as server:
        assert redraft(home, params(server, passage, ["english"]))["done"] == 1
        first, second = server.calls
    assert second.body["messages"][:2] == first.body["messages"]
    assert "english" in second.asked and "entities（" not in second.asked
    assert Suggestions(db).of(passage.id)[0].value.english


def test_a_wrong_key_fails_the_job(home, db, passage):
    with chat_server.ChatServer(script=lambda call: "401") as server, pytest.raises(SongclipError) as caught:
        redraft(home, params(server, passage))
    assert caught.value.code == "provider_key_wrong"


def test_a_typed_key_reaches_the_server(home, db, passage):
    with chat_server.ChatServer() as server:
        job = Jobs(db).submit("redraft", "desk", params(server, passage), running=True)
        run_job(home, job.id, key="sk-typed-0123456789")
        assert {call.headers["authorization"] for call in server.calls} == {"Bearer sk-typed-0123456789"}


def test_a_long_passage_is_translated_in_parts_and_described_as_one(home, db):
    text = "".join(f"第{number}处，𠀋德寿宫在望仙桥东。" for number in range(200))
    (passage_id,) = Passages(db).add([NewPassage("武林旧事", "卷五", text)]).ids
    passage = Passages(db).get(passage_id)
    suggest(db, passage_id, _offline())
    save(db, passage_id, Suggestions(db).latest(passage).value, Status.APPROVED)
    with chat_server.ChatServer() as server:
        redraft(home, params(server, passage, ["english"]))
        parts = [call.passage for call in server.calls]
        assert len(parts) > 1 and "".join(parts) == text
        server.calls.clear()
        redraft(home, params(server, passage, ["search_prompt"]))
        assert [call.passage for call in server.calls] == [text]
    prompt, translation = Suggestions(db).of(passage_id)[:2]
    assert translation.value == AnnotationValue(
        english=" ".join(f"A passage of {len(part)} characters." for part in parts)
    )
    assert prompt.value == AnnotationValue(search_prompt="南宋临安古画中的德寿宫")


def _offline():
    from core.annotation.rules import OfflineRules

    return OfflineRules()


def test_the_rules_write_what_they_can(db, passage):
    south = replace(VALUE, relations=(Relation("e1", "south_of", "e2"),))
    revision = save(db, passage.id, south, Status.APPROVED).revision
    before = Suggestions(db).latest(passage)
    redraft_now(db, passage.id, ["english", "spatial_relation", "search_prompt"])
    newest = Suggestions(db).of(passage.id)[0]
    assert newest.value == AnnotationValue(
        spatial_relation="德寿宫位于望仙桥南侧", search_prompt="南宋临安古画中的德寿宫，宫殿建筑，望仙桥南侧"
    )
    assert newest.parameters == {"parts": ["spatial_relation", "search_prompt"], "revision": revision}
    assert (newest.provider, newest.missing) == ("offline", ("english",))
    assert Suggestions(db).latest(passage) == before


def test_the_rules_say_what_they_cannot(db, passage):
    with pytest.raises(InputError, match="redraft_needs_model"):
        redraft_now(db, passage.id, ["english"])
    save(db, passage.id, AnnotationValue(), Status.DRAFT)
    with pytest.raises(InputError, match="redraft_needs_model"):
        redraft_now(db, passage.id, ["search_prompt"])
    assert len(Suggestions(db).of(passage.id)) == 1


def test_what_nobody_confirmed_is_no_ground_for_a_redraft(home, db):
    (passage_id,) = Passages(db).add([NewPassage("梦粱录", "卷八", TEXT)]).ids
    suggest(db, passage_id, _offline())
    with pytest.raises(InputError, match="redraft_unconfirmed"):
        redraft_now(db, passage_id, ["search_prompt"])
    with chat_server.ChatServer() as server, pytest.raises(SongclipError, match="redraft_unconfirmed"):
        redraft(home, params(server, Passages(db).get(passage_id)))
    assert not server.calls


def test_one_passage_does_not_queue_behind_a_book(home, db, passage):
    jobs = Jobs(db)
    book = submit(home, jobs, "annotate", {"provider": "offline"})
    later = submit(home, jobs, "annotate", {"provider": "offline"})
    assert [job.id for job in jobs.claim()] == [book.id]
    ask = submit(home, jobs, "ask", {"provider": "offline", "ids": [passage.id]})
    typed = submit(home, jobs, "redraft", {}, needs_key=True)
    assert [job.id for job in jobs.claim()] == [ask.id]
    assert not jobs.claim_with_key(typed.id), "its lane works"
    assert run_job(home, ask.id).state is JobState.DONE
    assert jobs.claim_with_key(typed.id)
    assert jobs.get(later.id).state is JobState.QUEUED


def test_asking_about_one_passage_anew_makes_a_whole_suggestion(home, db, passage):
    with chat_server.ChatServer() as server:
        given = params(server, passage)
        given = {name: given[name] for name in ("provider", "endpoint", "prompt")}
        result = run_in_foreground(home, "ask", {**given, "ids": [passage.id]}, Silent()).result
    assert result["done"] == 1
    assert Suggestions(db).latest(passage).value.entities


def test_the_desk_asks_whom_the_newest_annotation_job_asked(home, db, passage):
    jobs = Jobs(db)
    assert latest_endpoint(db) is None
    jobs.submit("annotate", "llm", {"provider": "offline", "ids": [1]})
    assert latest_endpoint(db) is None
    own = Prompts(db).add("own", DEFAULT_PROMPT.system, DEFAULT_PROMPT.instructions + "。", who="王")
    for model, prompt in (("old", DEFAULT_PROMPT.id), ("new", own.id)):
        endpoint = asdict(endpoint_for("local", base_url="http://127.0.0.1:1/v1", model=model))
        asked = {"provider": "local", "endpoint": endpoint, "prompt": prompt, "examples": 2, "ids": [1]}
        jobs.submit("annotate", "llm", asked)
    jobs.submit("annotate", "llm", {"provider": "offline"})
    assert latest_endpoint(db) == {"provider": "local", "endpoint": endpoint, "prompt": own.id}
