import json
import logging
import threading

import pytest
from filelock import FileLock

from core.errors import ConflictError, SongclipError, Stopped
from core.progress import Silent
from core.records import JobState
from db.jobs import Jobs
from workbench.jobs import running
from workbench.jobs.running import is_alive, lock_of, recover, run_in_foreground, run_job, submit


def test_a_job_that_succeeds(home, jobs, capsys):
    job = submit(home, jobs, "steps", {"total": 3})
    ended = run_job(home, job.id)
    assert (ended.state, ended.result) == (JobState.DONE, {"lines": 3})
    assert (ended.done, ended.total, ended.progress) == (3, 3, 1.0)
    assert ended.started_at and ended.heartbeat_at and ended.finished_at
    assert not is_alive(home, job.id)
    assert "a library prints" not in capsys.readouterr().out


def test_an_error_that_people_can_meet(home, jobs):
    ended = run_job(home, submit(home, jobs, "fails", {}).id)
    assert (ended.state, ended.error, ended.error_details) == (JobState.FAILED, "text_empty", {"where": "line 3"})
    assert (ended.done, ended.total) == (2, 5)


def test_any_other_error_ends_it_too_with_its_traceback_in_the_log_only(home, jobs, caplog):
    with caplog.at_level(logging.ERROR):
        ended = run_job(home, submit(home, jobs, "breaks", {}).id)
    assert (ended.state, ended.error, ended.error_details) == (
        JobState.FAILED,
        "unexpected",
        {"kind": "ZeroDivisionError"},
    )
    assert "Traceback" in caplog.text
    assert "sk-0123456789" not in json.dumps(jobs.get(ended.id).error_details)


def test_asked_to_stop_it_ends_as_cancelled_and_goes_on_when_resumed(home, jobs, until):
    job = submit(home, jobs, "steps", {"total": 4, "wait_at": 2})
    worker = threading.Thread(target=run_job, args=(home, job.id), daemon=True)
    worker.start()
    until(lambda: (home.path / f"steps-{job.id}.txt").exists() and jobs.get(job.id).state is JobState.RUNNING)
    assert is_alive(home, job.id)
    jobs.cancel(job.id)
    worker.join()
    stopped = jobs.get(job.id)
    assert (stopped.state, stopped.done) == (JobState.CANCELLED, 2)
    (home.path / "go").touch()
    jobs.resume(job.id)
    assert run_job(home, job.id).result == {"lines": 4}
    assert (home.path / f"steps-{job.id}.txt").read_text(encoding="utf-8").split() == ["0", "1", "2", "3"]


def test_a_job_that_another_process_has_is_left_alone(home, jobs, monkeypatch):
    monkeypatch.setattr(running, "LOCK_SECONDS", 0.05)
    job = submit(home, jobs, "steps", {"total": 2})
    jobs.begin(job.id)
    before = jobs.get(job.id)
    with lock_of(home, job.id):
        assert run_job(home, job.id) == before
        assert recover(home, jobs) == 0
    assert jobs.get(job.id) == before
    assert not (home.path / f"steps-{job.id}.txt").exists()


@pytest.mark.parametrize("end", [JobState.DONE, JobState.CANCELLED, JobState.INTERRUPTED])
def test_a_job_that_ended_is_not_done_again(home, jobs, end):
    job = submit(home, jobs, "steps", {"total": 2})
    jobs.begin(job.id)
    jobs.end(job.id, end)
    assert run_job(home, job.id).state is end
    assert not (home.path / f"steps-{job.id}.txt").exists()


def test_a_lost_job_is_marked_once(home, jobs):
    job = submit(home, jobs, "steps", {"total": 2})
    jobs.begin(job.id)
    assert recover(home, jobs) == 1
    assert (jobs.get(job.id).state, jobs.get(job.id).error) == (JobState.INTERRUPTED, "job_interrupted")
    assert recover(home, jobs) == 0


def test_a_job_that_never_began_is_marked_after_a_minute_and_lets_its_lane_go(home, jobs):
    job = jobs.submit("steps", "disk", {}, running=True)
    assert recover(home, jobs) == 0, "its process may still be loading"
    jobs.db.execute("UPDATE jobs SET created_at = '2026-01-01T00:00:00.000+00:00' WHERE id = ?", [job.id])
    assert recover(home, jobs) == 1
    assert jobs.get(job.id).state is JobState.INTERRUPTED


def test_what_waits_is_not_lost(home, jobs):
    submit(home, jobs, "steps", {"total": 2})
    submit(home, jobs, "steps_gpu", {"total": 2})
    jobs.claim()
    assert recover(home, jobs) == 0


def test_a_double_click_starts_one_job(home, jobs):
    submit(home, jobs, "steps", {"total": 2}, key="steps")
    with pytest.raises(ConflictError):
        submit(home, jobs, "steps", {"total": 2}, key="steps")
    assert len(jobs.page()) == 1


class Heard(Silent):
    def __init__(self):
        self.reports = []

    def report(self, done, total, message="", **details):
        self.reports.append((done, total))


def test_in_the_foreground_the_row_and_the_watcher_hear_the_same(home):
    heard = Heard()
    ended = run_in_foreground(home, "steps", {"total": 3}, heard)
    assert ended.state is JobState.DONE and ended.result == {"lines": 3}
    assert heard.reports == [(1, 3), (2, 3), (3, 3)]
    assert Jobs(home.open()).get(ended.id).done == 3


def test_in_the_foreground_an_error_is_raised_with_its_sentence(home):
    with pytest.raises(SongclipError) as raised:
        run_in_foreground(home, "fails", {}, Silent())
    assert (raised.value.code, raised.value.details) == ("text_empty", {"where": "line 3"})
    with pytest.raises(SongclipError) as raised:
        run_in_foreground(home, "breaks", {}, Silent())
    assert raised.value.code == "unexpected"


def test_in_the_foreground_ctrl_c_ends_the_row(home, jobs):
    class Interrupted(Silent):
        def report(self, done, total, message="", **details):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_in_foreground(home, "steps", {"total": 3}, Interrupted())
    (job,) = jobs.page()
    assert job.state is JobState.CANCELLED


def test_in_the_foreground_a_stop_is_said(home, jobs):
    class Cancelling(Silent):
        def report(self, done, total, message="", **details):
            jobs.cancel(jobs.page()[0].id)

    with pytest.raises(Stopped):
        run_in_foreground(home, "steps", {"total": 4, "wait_at": 1}, Cancelling())
    assert jobs.page()[0].state is JobState.CANCELLED


def test_a_lock_file_left_behind_proves_nothing(home, jobs):
    job = submit(home, jobs, "steps", {"total": 1})
    with FileLock(home.locks / f"job-{job.id}.lock"):
        pass
    (home.locks / f"job-{job.id}.lock").touch()
    assert not is_alive(home, job.id)
    assert run_job(home, job.id).state is JobState.DONE
