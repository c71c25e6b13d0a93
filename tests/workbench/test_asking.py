"""Annotation with a model: a real server on loopback, the real client, a real job."""

import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from core.annotation.endpoints import endpoint_for
from core.annotation.prompts import DEFAULT_PROMPT
from core.errors import ProviderError, SongclipError
from core.progress import Silent
from core.texts.annotation import Status
from core.texts.passage import NewPassage
from db.annotations import Annotations
from db.jobs import Jobs
from db.passages import Passages
from db.prompts import Calls, Prompts
from db.suggestions import Suggestions
from workbench.jobs.running import run_in_foreground, run_job
from workbench.tasks.annotating import narrowed
from workbench.tasks.asking import approved_examples, retry_params
from workbench.tasks.estimating import estimate
from workbench.tasks.quality import report

_spec = importlib.util.spec_from_file_location(
    "chat_server", Path(__file__).parents[1] / "core" / "annotation" / "chat_server.py"
)
chat_server = importlib.util.module_from_spec(_spec)
sys.modules["chat_server"] = chat_server
_spec.loader.exec_module(chat_server)

TEXT = "德寿宫在望仙桥东，元系秦太师赐第。"


def params(server, *, model="m", concurrency=4, examples=0, **changed):
    endpoint = endpoint_for("local", base_url=server.base_url, model=model, timeout=20.0)
    return {
        "provider": "local",
        "endpoint": asdict(endpoint),
        "prompt": DEFAULT_PROMPT.id,
        "examples": examples,
        "concurrency": concurrency,
        **changed,
    }


@pytest.fixture
def passages(db):
    texts = [f"{TEXT}第{number}段。" for number in range(6)]
    return list(Passages(db).add([NewPassage("梦粱录", "卷八", text) for text in texts]).ids)


def ask(home, given):
    return run_in_foreground(home, "annotate", given, Silent()).result


def test_every_passage_gets_an_attributed_suggestion(home, db, passages):
    with chat_server.ChatServer() as server:
        result = ask(home, params(server))
    assert (result["done"], result["failed"], result["calls"], len(server.calls)) == (6, 0, 6, 6)
    assert result["tokens"] > 0
    suggestion = Suggestions(db).of(passages[0])[0]
    assert (suggestion.provider, suggestion.model, suggestion.prompt_version) == ("local", "m", "default-v1")
    assert suggestion.value.entities[0].mentions == ((0, 3),)
    assert suggestion.raw.startswith("{")
    assert Annotations(db).get(passages[0]).status is Status.SUGGESTED


def test_asking_the_same_again_pays_nothing(home, db, passages):
    with chat_server.ChatServer() as server:
        ask(home, params(server, ids=passages))
        again = ask(home, params(server, ids=passages))
        assert (again["skipped"], again["calls"], len(server.calls)) == (6, 0, 6)
        # Another prompt or model is another question.
        ask(home, params(server, ids=passages, model="other"))
        assert len(server.calls) == 12


def test_passages_are_chosen_by_what_was_asked_before(home, db, passages):
    with chat_server.ChatServer(rules={"第3段": "inspection"}) as server:
        ask(home, params(server, ids=passages[2:4]))
    assert narrowed(db, passages, "never") == [p for p in passages if p not in passages[2:4]]
    assert narrowed(db, passages, "failed") == [passages[3]]
    assert narrowed(db, passages, "all", DEFAULT_PROMPT.id) == passages[2:4]
    assert narrowed(db, passages, "all", "other-v1") == []


def test_a_retry_that_somebody_asks_for_is_a_new_attempt(home, db, passages):
    with chat_server.ChatServer() as server:
        ask(home, params(server, ids=passages))
        result = ask(home, retry_params(params(server, ids=passages), passages[:2]))
        assert (result["done"], len(server.calls)) == (2, 8)
    assert len(Suggestions(db).of(passages[0])) == 2


def test_a_wrong_key_stops_at_once_and_keeps_what_came(home, db, passages):
    many = Passages(db).add([NewPassage("梦粱录", "卷九", f"{TEXT}{n}") for n in range(60)]).ids
    with chat_server.ChatServer(script=lambda call: "401") as server:
        with pytest.raises(SongclipError) as caught:
            ask(home, params(server, ids=list(many), concurrency=4))
        assert caught.value.code == "provider_key_wrong"
        assert len(server.calls) <= 4
    job = Jobs(db).page(kind="annotate")[0]
    assert (job.state.value, job.error) == ("failed", "provider_key_wrong")


def test_what_fails_is_kept_raw_and_the_rest_goes_on(home, db, passages):
    rules = {"第1段": "prose", "第3段": "inspection", "第4段": "empty"}
    with chat_server.ChatServer(rules=rules) as server:
        result = ask(home, params(server, ids=passages))
    assert result["done"] == 4
    assert {failure["passage"] for failure in result["failures"]} == {passages[3], passages[4]}
    failed = dict(Suggestions(db).failed(passages))
    assert failed[passages[3]] == "provider_refused"
    assert Annotations(db).get(passages[3]).status is Status.NEW


def test_a_reply_of_the_wrong_shape_goes_back_once_with_the_errors(home, db, passages):
    with chat_server.ChatServer(rules={"第0段": "shape*1"}) as server:
        result = ask(home, params(server, ids=passages[:1]))
        assert (result["done"], len(server.calls)) == (1, 2)
        assert len(server.calls[1].body["messages"]) > len(server.calls[0].body["messages"])
    suggestion = Suggestions(db).of(passages[0])[0]
    assert suggestion.value.english in suggestion.raw, "the raw reply is the one the value was read from"


def test_a_scholars_value_is_never_touched(home, db, passages):
    passage = passages[0]
    annotations = Annotations(db)
    mine = annotations.save(
        passage, annotations.get(passage).value, Status.APPROVED, version=0, who="me", why="approved"
    )
    with chat_server.ChatServer() as server:
        ask(home, params(server, ids=passages))
    assert annotations.get(passage) == mine


def test_approved_annotations_go_along_as_examples_but_never_for_themselves(home, db, passages):
    with chat_server.ChatServer() as server:
        ask(home, params(server, ids=passages))
        for passage in passages[:2]:
            value = Suggestions(db).of(passage)[0].value
            Annotations(db).save(passage, value, Status.APPROVED, version=1, who="me", why="approved")
        server.calls.clear()
        ask(home, params(server, ids=passages[:3], examples=2, model="shots"))
        sent = {call.passage: [m["content"] for m in call.body["messages"][1:-1]] for call in server.calls}
    first = Passages(db).get(passages[0]).text
    assert not any(first in message for message in sent[first])
    third = Passages(db).get(passages[2]).text
    assert sum(first in message for message in sent[third]) == 1


def test_examples_are_those_of_the_time_the_job_was_asked_for(db, passages):
    annotations = Annotations(db)
    annotations.save(passages[0], annotations.get(1).value, Status.APPROVED, version=0, who="me", why="approved")
    between = annotations.history(passages[0])[0].at
    time.sleep(0.01)
    annotations.save(passages[0], annotations.get(1).value, Status.DRAFT, version=1, who="me", why="edited")
    assert len(approved_examples(db, between)) == 1
    assert approved_examples(db, annotations.history(passages[0])[0].at) == []


def test_a_long_passage_is_asked_about_in_parts_and_joined(home, db):
    text = "".join(f"第{number}处，德寿宫在望仙桥东。" for number in range(400))
    (passage,) = Passages(db).add([NewPassage("武林旧事", "卷五", text)]).ids
    with chat_server.ChatServer() as server:
        result = ask(home, params(server, ids=[passage]))
        assert len(server.calls) > 2
        assert result["done"] == 1
    value = Suggestions(db).of(passage)[0].value
    palace = next(entity for entity in value.entities if entity.name == "德寿宫")
    assert len(palace.mentions) == 400
    assert all(text[start:end] == "德寿宫" for start, end in palace.mentions)


def test_the_estimate_knows_what_is_stored(home, db, passages):
    with chat_server.ChatServer() as server:
        endpoint = endpoint_for("local", base_url=server.base_url, model="m", timeout=20.0)
        before = estimate(db, passages, endpoint, DEFAULT_PROMPT, shots=0)
        ask(home, params(server, ids=passages))
        after = estimate(db, passages, endpoint, DEFAULT_PROMPT, shots=0)
    assert (before.requests, before.stored) == (6, 0)
    assert before.tokens_in > 1000
    assert (after.requests, after.stored, after.tokens_in) == (0, 6, 0)
    assert before.cost(1_000_000, 0) == before.tokens_in


def test_a_prompt_is_a_new_version_and_the_old_one_stays(db):
    prompts = Prompts(db)
    first = prompts.add("mine", DEFAULT_PROMPT.system, DEFAULT_PROMPT.instructions + "\n多写地名。", who="me")
    same = prompts.add("mine", first.system, first.instructions, who="me")
    second = prompts.add("mine", first.system, first.instructions + "\n再多些。", who="me")
    assert (first.id, same.id, second.id) == ("mine-v1", "mine-v1", "mine-v2")
    assert prompts.get("mine-v1").instructions == first.instructions
    assert prompts.get("").id == "mine-v2"
    with pytest.raises(SongclipError):
        prompts.add("mine", "", "without the word", who="me")


def test_the_report_holds_suggestions_against_what_was_approved(home, db, passages):
    with chat_server.ChatServer() as server:
        ask(home, params(server, ids=passages))
    value = Suggestions(db).of(passages[0])[0].value
    Annotations(db).save(passages[0], value, Status.APPROVED, version=1, who="me", why="approved")
    whole = next(row for row in report(db) if not row["kind"])
    assert (whole["model"], whole["passages"], whole["f1"], whole["untouched"]) == ("m", 1, 1.0, 1)
    assert whole["english_edit"] == 0.0


def test_a_typed_key_reaches_the_server_and_is_written_nowhere(home, db, passages):
    secret = "sk-secret-0123456789abcdef"
    with chat_server.ChatServer() as server:
        job = Jobs(db).submit("annotate", "llm", params(server, ids=passages), running=True)
        run_job(home, job.id, key=secret)
        sent = [{name.lower(): value for name, value in call.headers.items()} for call in server.calls]
        assert {headers["authorization"] for headers in sent} == {f"Bearer {secret}"}
    for file in home.path.rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes(), file


def test_killed_at_any_moment_nothing_is_lost_or_paid_twice(home, db):
    """SIGKILL at random moments: every passage once, no stored reply asked for again; the server counts."""
    ids = list(Passages(db).add([NewPassage("梦粱录", "卷七", f"{TEXT}其{n}") for n in range(150)]).ids)
    rng = random.Random(4)
    concurrency, kills = 4, 20
    with chat_server.ChatServer(latency=0.05) as server:
        job = Jobs(db).submit("annotate", "llm", params(server, ids=ids, concurrency=concurrency))
        for _ in range(kills):
            process = subprocess.Popen(
                [sys.executable, "-m", "workbench.cli", "--home", str(home.path), "jobs", "run", str(job.id)],
                stdout=subprocess.DEVNULL,
                env={**os.environ, "SONGCLIP_LOG_LEVEL": "ERROR"},
            )
            asked, deadline = len(server.calls), time.monotonic() + 20
            while len(server.calls) == asked and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(rng.uniform(0, 0.3))
            process.send_signal(signal.SIGKILL)
            process.wait()
            if Jobs(db).get(job.id).state.value == "done":
                break
            Jobs(db).end(job.id, type(job.state)("interrupted"))
            Jobs(db).resume(job.id)
        run_job(home, job.id)
        repeated = len(server.calls) - len({call.key for call in server.calls})
    assert Jobs(db).get(job.id).state.value == "done"
    assert [len(Suggestions(db).of(passage)) for passage in ids] == [1] * len(ids)
    assert repeated <= kills * concurrency, "at most the calls in flight"
    assert {call.key for call in server.calls} and Calls(db).of_job(job.id)[0] <= len(server.calls)


def test_provider_errors_are_typed(db, passages):
    with pytest.raises(ProviderError):
        endpoint_for("qwen", base_url="ftp://nowhere")
