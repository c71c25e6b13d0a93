import threading

import pytest

from core.errors import ConflictError, NotFoundError
from core.records import JobState
from db.jobs import Jobs

ENDS = (JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.INTERRUPTED)


@pytest.fixture
def jobs(db):
    return Jobs(db)


def running(jobs, lane="disk", **fields):
    job = jobs.submit("demo", lane, {}, **fields)
    jobs.claim()
    assert jobs.begin(job.id)
    return jobs.get(job.id)


def test_a_submitted_job_waits_with_its_parameters(jobs):
    job = jobs.submit("train", "gpu", {"dataset": "西湖", "epochs": 3})
    assert job == jobs.get(job.id)
    assert (job.kind, job.lane, job.state, job.attempt) == ("train", "gpu", JobState.QUEUED, 1)
    assert job.params == {"dataset": "西湖", "epochs": 3}
    assert job.progress == 0.0 and job.created_at and not job.started_at
    for asked in (99, 10**30):
        with pytest.raises(NotFoundError):
            jobs.get(asked)


def test_two_submits_of_one_key_start_one_job(home, jobs):
    barrier, outcomes = threading.Barrier(2), []

    def click():
        own = Jobs(home.open())
        barrier.wait()
        try:
            outcomes.append(own.submit("train", "gpu", {}, key="train:西湖").id)
        except ConflictError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=click) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == ["1", "job_already_active"]
    assert len(jobs.page()) == 1


def test_a_key_is_free_again_when_its_job_ended(jobs):
    first = jobs.submit("train", "gpu", {}, key="k")
    with pytest.raises(ConflictError):
        jobs.submit("train", "gpu", {}, key="k")
    jobs.cancel(first.id)
    second = jobs.submit("train", "gpu", {}, key="k")
    with pytest.raises(ConflictError) as raised:
        jobs.resume(first.id)
    assert raised.value.code == "job_already_active"
    assert jobs.get(first.id).state is JobState.CANCELLED
    assert jobs.get(first.id).attempt == 1
    assert jobs.submit("train", "gpu", {}).id > second.id  # without a key any number


def test_claim_takes_the_lowest_of_each_lane_and_one_a_lane(jobs):
    one, two = (jobs.submit("train", "gpu", {}) for _ in range(2))
    three = jobs.submit("annotate", "llm", {})
    claimed = jobs.claim()
    assert sorted(job.id for job in claimed) == [one.id, three.id]
    assert {job.state for job in claimed} == {JobState.STARTING}
    assert jobs.claim() == []
    jobs.begin(one.id)
    assert jobs.claim() == []
    jobs.end(one.id, JobState.DONE)
    assert [job.id for job in jobs.claim()] == [two.id]


def test_a_job_in_the_foreground_holds_its_lane(jobs):
    own = jobs.submit("train", "gpu", {}, running=True)
    jobs.submit("train", "gpu", {})
    assert own.state is JobState.STARTING
    assert jobs.claim() == []


def test_progress_is_written_while_it_runs_only(jobs):
    job = running(jobs)
    jobs.report(job.id, 3, 4, "progress.demo", {"name": "断桥"})
    now = jobs.get(job.id)
    assert (now.done, now.total, now.message, now.details, now.progress) == (
        3,
        4,
        "progress.demo",
        {"name": "断桥"},
        0.75,
    )
    assert now.heartbeat_at >= job.heartbeat_at
    jobs.end(job.id, JobState.FAILED, error="unexpected")
    jobs.report(job.id, 4, 4, "", {})
    assert jobs.get(job.id).done == 3


def test_begins_once(jobs):
    job = running(jobs)
    assert not jobs.begin(job.id)
    jobs.end(job.id, JobState.DONE)
    assert not jobs.begin(job.id)


@pytest.mark.parametrize("end", ENDS)
def test_ends_exactly_once(jobs, end):
    job = running(jobs)
    assert jobs.end(job.id, end, result={"made": 2}, error="unexpected", error_details={"kind": "X"})
    ended = jobs.get(job.id)
    assert (ended.state, ended.result, ended.error, ended.error_details) == (
        end,
        {"made": 2},
        "unexpected",
        {"kind": "X"},
    )
    assert ended.finished_at and not ended.state.active
    for other in ENDS:
        assert not jobs.end(job.id, other)
    assert jobs.get(job.id) == ended


def test_a_queued_job_is_cancelled_at_once(jobs):
    job = jobs.submit("demo", "disk", {})
    assert jobs.cancel(job.id).state is JobState.CANCELLED
    assert jobs.claim() == []


def test_a_running_job_is_asked_to_stop(jobs):
    job = running(jobs)
    assert not jobs.beat(job.id)
    asked = jobs.cancel(job.id)
    assert (asked.state, asked.stop_requested) == (JobState.RUNNING, True)
    assert jobs.beat(job.id)


def test_a_job_that_ended_is_not_cancelled(jobs):
    job = running(jobs)
    jobs.end(job.id, JobState.DONE, result={"made": 1})
    assert jobs.cancel(job.id) == jobs.get(job.id)
    assert jobs.get(job.id).state is JobState.DONE and not jobs.get(job.id).stop_requested


@pytest.mark.parametrize("end", [JobState.FAILED, JobState.CANCELLED, JobState.INTERRUPTED])
def test_resumed_it_waits_again_and_forgets_its_error(jobs, end):
    job = running(jobs)
    jobs.cancel(job.id)
    jobs.end(job.id, end, error="unexpected", error_details={"kind": "X"})
    again = jobs.resume(job.id)
    assert (again.state, again.attempt, again.stop_requested) == (JobState.QUEUED, 2, False)
    assert (again.error, again.error_details, again.finished_at) == ("", {}, "")
    assert [claimed.id for claimed in jobs.claim()] == [job.id]


def test_what_works_waits_or_is_done_is_not_resumed(jobs):
    waiting = jobs.submit("demo", "gpu", {})
    works = running(jobs)
    done = running(jobs, lane="llm")
    jobs.end(done.id, JobState.DONE)
    for job in (waiting, works, done):
        before = jobs.get(job.id)
        with pytest.raises(ConflictError) as raised:
            jobs.resume(job.id)
        assert raised.value.code == "job_not_resumable"
        assert jobs.get(job.id) == before


def test_a_claimed_job_that_never_began_is_put_back(jobs):
    job = jobs.submit("demo", "disk", {})
    jobs.claim()
    jobs.unclaim(job.id)
    assert jobs.get(job.id).state is JobState.QUEUED and jobs.get(job.id).attempt == 1
    jobs.claim()
    jobs.begin(job.id)
    jobs.unclaim(job.id)
    assert jobs.get(job.id).state is JobState.RUNNING


def test_listed_newest_first(jobs):
    ids = [jobs.submit(kind, "disk", {}).id for kind in ("demo", "train", "demo")]
    jobs.cancel(ids[0])
    assert [job.id for job in jobs.page()] == ids[::-1]
    assert [job.id for job in jobs.page(kind="demo")] == [ids[2], ids[0]]
    assert [job.id for job in jobs.page(active=True)] == [ids[2], ids[1]]
    assert [job.id for job in jobs.page(limit=1, offset=1)] == [ids[1]]


def test_a_done_job_is_whole_even_without_reports(jobs):
    job = running(jobs)
    jobs.end(job.id, JobState.DONE)
    assert jobs.get(job.id).progress == 1.0
