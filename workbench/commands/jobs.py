"""``songclip jobs``: list, show, cancel, resume, finish; ``run`` is what the dispatcher starts."""

import sys

import click

from core.errors import InputError, SongclipError
from core.records import Job
from db.experiments import Runs
from db.jobs import Jobs
from workbench.commands.base import Answer, Context, command
from workbench.jobs.running import recover, run_job
from workbench.log import log_to


def document(context: Context, job: Job) -> dict[str, object]:
    """A job as other programs read it."""
    return {
        "id": job.id,
        "kind": job.kind,
        "lane": job.lane,
        "state": job.state.value,
        "progress": round(job.progress, 4),
        "done": job.done,
        "total": job.total,
        "message": sentence(context, job),
        "result": job.result,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def sentence(context: Context, job: Job) -> str:
    """What a job says of itself, its error first."""
    if job.error:
        return context.say(f"errors.{job.error}", **job.error_details)
    return context.say(job.message, **{"done": job.done, "total": job.total, **job.details}) if job.message else ""


def _line(context: Context, job: Job) -> str:
    state = context.say(f"jobs.state.{job.state.value}")
    kind = context.say(f"jobs.kind.{job.kind}")
    return f"{job.id:>5}  {state}  {kind}  {job.progress:.0%}  {sentence(context, job)}".rstrip()


def register(root: click.Group) -> None:
    """Add the commands to ``songclip``."""

    @root.group("jobs", invoke_without_command=True)
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
    @click.pass_context
    def jobs(ctx: click.Context, as_json: bool) -> None:
        """Long work: list it, look at it, cancel it, resume it, finish it."""
        if ctx.invoked_subcommand is None:
            ctx.invoke(listing, as_json=as_json)

    @command(jobs, "list")
    @click.option("--limit", default=50, show_default=True)
    def listing(context: Context, limit: int = 50) -> Answer:
        """Jobs, newest first."""
        repository = Jobs(context.db)
        recover(context.home, repository)
        found = repository.page(limit=limit)
        return Answer([document(context, job) for job in found], tuple(_line(context, job) for job in found))

    @command(jobs, "show")
    @click.argument("job_id", type=int)
    def show(context: Context, job_id: int) -> Answer:
        """One job."""
        repository = Jobs(context.db)
        recover(context.home, repository)
        job = repository.get(job_id)
        return Answer(document(context, job), (_line(context, job),))

    @command(jobs, "cancel")
    @click.argument("job_id", type=int)
    def cancel(context: Context, job_id: int) -> Answer:
        """Take a waiting job back; ask a running one to stop at its next safe point."""
        job = Jobs(context.db).cancel(job_id)
        return Answer(document(context, job), (_line(context, job),))

    @command(jobs, "resume")
    @click.argument("job_id", type=int)
    def resume(context: Context, job_id: int) -> Answer:
        """Queue a job again that was cancelled, interrupted or failed; `songclip run` goes on with it."""
        repository = Jobs(context.db)
        recover(context.home, repository)
        job = repository.resume(job_id)
        return Answer(document(context, job), (_line(context, job),))

    @command(jobs, "finish")
    @click.argument("job_id", type=int)
    def finish(context: Context, job_id: int) -> Answer:
        """End a stopped training here: the best epoch so far becomes its model, without training on."""
        from workbench.tasks.finishing import finish_here

        recover(context.home, Jobs(context.db))
        made = Runs(context.db).of_job(Jobs(context.db).get(job_id).id)
        if made is None:
            raise InputError("run_nothing_to_finish", run=f"#{job_id}")
        job = run_job(context.home, finish_here(context.home, context.db, made.name).id)
        if job.error:
            raise SongclipError(job.error, **job.error_details)
        return Answer(document(context, job), (_line(context, job),))

    @command(jobs, "run")
    @click.argument("job_id", type=int)
    @click.option("--key-from-stdin", is_flag=True, help="Read the provider's key from standard input.")
    def run(context: Context, job_id: int, key_from_stdin: bool) -> Answer:
        """Do a queued job in this process (what the dispatcher starts)."""
        key = sys.stdin.readline().strip() if key_from_stdin else ""
        log_to(context.home.logs / "songclip.log")
        job = run_job(context.home, job_id, key=key)
        return Answer(document(context, job), ())  # what it prints goes into the job's log, which people read
