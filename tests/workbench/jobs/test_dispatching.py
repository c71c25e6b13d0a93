"""Jobs in processes of their own, as the dispatcher starts them."""

import threading

import pytest
from filelock import FileLock

from core.records import JobState
from db.connection import transaction
from db.passages import Passages
from workbench.jobs.dispatching import Dispatcher, is_dispatching
from workbench.jobs.running import is_alive, submit
from workbench.tasks.passages import import_files

STEPS = {"total": 3, "wait_at": 2}


@pytest.fixture
def dispatcher(home):
    dispatcher = Dispatcher(home)
    yield dispatcher
    (home.path / "go").touch()
    for child in dispatcher._children.values():
        child.kill()
        child.wait()


def waits_at_two(home, jobs, job):
    """Whether the job's own process has done two steps and waits."""
    file = home.path / f"steps-{job.id}.txt"
    return file.exists() and file.read_text(encoding="utf-8") == "0\n1\n" and is_alive(home, job.id)


def test_one_job_a_lane_in_order_each_in_its_own_process(home, jobs, dispatcher, until):
    first, second = (submit(home, jobs, "steps", STEPS) for _ in range(2))
    other = submit(home, jobs, "steps_gpu", STEPS)
    dispatcher.tick()
    until(lambda: waits_at_two(home, jobs, first) and waits_at_two(home, jobs, other))
    dispatcher.tick()
    states = [jobs.get(job.id).state for job in (first, second, other)]
    assert states == [JobState.RUNNING, JobState.QUEUED, JobState.RUNNING]
    assert len({child.pid for child in dispatcher._children.values()}) == 2
    (home.path / "go").touch()
    until(lambda: all(jobs.get(job.id).state is JobState.DONE for job in (first, other)))
    dispatcher.tick()
    until(lambda: jobs.get(second.id).state is JobState.DONE)
    assert jobs.get(second.id).started_at >= jobs.get(first.id).finished_at
    assert "a library prints here" in (home.logs / f"job-{first.id}.log").read_text(encoding="utf-8")


def test_a_killed_job_is_marked_interrupted_and_resumes(home, jobs, dispatcher, until):
    job = submit(home, jobs, "steps", STEPS)
    dispatcher.tick()
    until(lambda: waits_at_two(home, jobs, job))
    child = dispatcher._children[job.id]
    child.kill()
    child.wait()
    assert jobs.get(job.id).state is JobState.RUNNING
    dispatcher.tick()
    killed = jobs.get(job.id)
    assert (killed.state, killed.error) == (JobState.INTERRUPTED, "job_interrupted")
    (home.path / "go").touch()
    jobs.resume(job.id)
    dispatcher.tick()
    until(lambda: jobs.get(job.id).state is JobState.DONE)
    assert (jobs.get(job.id).attempt, jobs.get(job.id).result) == (2, {"lines": 3})


def test_a_job_outlives_its_dispatcher(home, jobs, dispatcher, until):
    job = submit(home, jobs, "steps", STEPS)
    dispatcher.tick()
    until(lambda: waits_at_two(home, jobs, job))
    ended = threading.Event()
    ended.set()
    Dispatcher(home).run(ended)
    second = Dispatcher(home)
    second.tick()
    assert jobs.get(job.id).state is JobState.RUNNING and not second._children
    (home.path / "go").touch()
    until(lambda: jobs.get(job.id).state is JobState.DONE)


def test_a_process_that_ends_before_it_begins_leaves_no_job_starting(home, jobs, dispatcher, monkeypatch):
    job = submit(home, jobs, "steps", STEPS)
    monkeypatch.setenv("EXTRA_KINDS_EXIT", "1")
    dispatcher.tick()
    dispatcher._children[job.id].wait()
    dispatcher.tick()
    assert jobs.get(job.id).state is JobState.INTERRUPTED


def test_a_real_kind_from_end_to_end(home, db, jobs, dispatcher, until):
    import_files(home, db, [("raw.txt", "德寿宫在望仙桥东，元系秦太师赐第。".encode())])
    job = submit(home, jobs, "annotate", {"provider": "offline"})
    dispatcher.tick()
    until(lambda: not jobs.get(job.id).state.active)
    assert jobs.get(job.id).state is JobState.DONE
    assert jobs.get(job.id).result["done"] == 1
    assert Passages(db).status_counts()["suggested"] == 1


def test_a_database_that_is_locked_for_long_does_not_end_the_dispatcher(home, jobs, until, monkeypatch, caplog):
    monkeypatch.setattr("db.connection.BUSY_SECONDS", 0.05)
    ended = threading.Event()
    worker = threading.Thread(target=lambda: Dispatcher(home).run(ended), daemon=True)
    worker.start()
    until(lambda: is_dispatching(home))
    with transaction(jobs.db):
        until(lambda: caplog.text.count("the dispatcher waits") > 1)
        job = submit(home, jobs, "steps", {"total": 1})
        assert worker.is_alive()
    until(lambda: jobs.get(job.id).state is JobState.DONE)
    ended.set()
    worker.join()


def test_one_dispatcher_a_home(home, jobs, until):
    """Also: a claim of a dispatcher that died is put back and done."""
    job = submit(home, jobs, "steps", {"total": 1})
    jobs.claim()
    ended = threading.Event()
    assert not is_dispatching(home)
    with FileLock(home.locks / "dispatcher.lock"):
        assert is_dispatching(home)
        worker = threading.Thread(target=lambda: Dispatcher(home).run(ended), daemon=True)
        worker.start()
        worker.join(0.3)
        assert jobs.get(job.id).state is JobState.STARTING
    until(lambda: jobs.get(job.id).state is JobState.DONE)
    assert is_dispatching(home)
    ended.set()
    worker.join()
    assert not is_dispatching(home)
