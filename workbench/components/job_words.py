"""What a job says of itself: what it is for, where it stands, what it came to, and what it waits for."""

from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from core.records import Job, JobState
from db.experiments import Datasets, Runs
from workbench.components.quantities import duration
from workbench.components.shell import t

BETWEEN = " · "
SHOWN = 3
"""Names of a list that are said before it is cut."""


def job_sentence(job: Job) -> str:
    """What stands beside a job's state: its error first, where it stopped, or what it does; nothing of a done one."""
    if job.error:
        return t(f"errors.{job.error}", **job.error_details)
    if job.state is JobState.DONE:
        return ""
    if job.state is JobState.CANCELLED:
        return f"{_stopped(job)} {t('jobs.can_resume')}"
    if not job.message:
        return ""
    details = {"done": job.done, "total": job.total, **job.details}
    if job.message == "progress.ablating":
        details["name"] = experiment_name(str(details.get("name", "")))
    return t(job.message, **details)


def _stopped(job: Job) -> str:
    if not job.started_at:
        return t("jobs.taken_back")
    if job.message == "progress.train_step":
        return t("jobs.stopped_step", step=job.done, steps=job.total, **job.details)
    if job.kind == "train":
        return t("jobs.stopped_early")
    return t("jobs.stopped_at", done=job.done, total=job.total) if job.total else t("jobs.stopped")


def brief(job: Job) -> str:
    """What a job came to, short enough for a column beside its state; its own page says it whole."""
    if job.state is JobState.DONE and job.kind == "train":
        return t("jobs.brief_train", **job.result)
    if job.state is JobState.DONE and job.kind == "dataset":
        pictures = {name: split["images"] for name, split in job.result["splits"].items()}
        return t("jobs.brief_dataset", **{"train": 0, "valid": 0, "test": 0} | pictures)
    if job.state is JobState.DONE and job.kind == "plan":
        return t("jobs.brief_plan", whole=duration(job.result["seconds"]), epochs=job.result["epochs"])
    if job.state is JobState.CANCELLED and job.message == "progress.train_step":
        return t("jobs.brief_step", step=job.done, steps=job.total, **job.details)
    return " ".join(result_lines(job)) if job.state is JobState.DONE else job_sentence(job)


def result_lines(job: Job) -> list[str]:
    """What a finished job came to, in sentences; none for a kind whose page says it better."""
    result = job.result
    if not result:
        return []
    if job.kind in ("annotate", "ask", "redraft"):
        return [t("annotate.ended", **result)]
    if job.kind == "dataset":
        images = {name: result["splits"].get(name, {}).get("images", 0) for name in ("train", "valid", "test")}
        lines = [t("dataset.built_line", name=result["name"], path=result["path"], **images)]
        return [*lines, t(f"warnings.{result['warning']}")] if result["warning"] else lines
    if job.kind == "train":
        return [t("train_line.done", **result)]
    if job.kind == "demo":
        return [t("demo.made", **result)]
    if job.kind == "plan":
        whole, epoch = duration(result["seconds"]), duration(result["epoch_seconds"])
        return [t("plan.line", whole=whole, epoch=epoch, epochs=result["epochs"], device=result["device"])]
    if job.kind == "download":
        return [t("plan.downloaded", model=result["model"], path=result["path"])]
    if job.kind == "evaluate":
        figures = [f"{row['run'] or t('results.zero_shot')} {row['t2i']:.1f}" for row in result["measured"]]
        return [t("jobs.measured", figures=_listed(figures))]
    if job.kind == "ablate":
        return [t("jobs.ablated", count=len(result["table"]))]
    return [t("jobs.strength_done", run=result["run"])] if job.kind == "strength" else []


def about(db: Database, job: Job) -> str:
    """What a job is for: its run, dataset, model and method, as far as it has them."""
    asked = job.params
    parts = []
    if job.kind == "train" and (run := Runs(db).of_job(job.id)):
        parts.append(run.name)
    if job.kind == "dataset":
        parts.append(asked.get("name", ""))
    if asked.get("dataset"):
        parts.append(t("jobs.on_dataset", dataset=asked["dataset"]))
    parts += [asked.get("model", ""), _method(asked.get("options", {})), asked.get("run", "")]
    parts.append(_listed(asked.get("runs", ())))
    if job.kind in ("ask", "redraft") and "passage" in asked:
        parts.append(f"#{asked['passage']}")
    return BETWEEN.join(str(part) for part in parts if part)


def about_briefly(db: Database, job: Job) -> str:
    """The first of :func:`about` alone, for a column: the run, else the dataset, else the model."""
    return about(db, job).partition(BETWEEN)[0]


def _method(options: dict[str, Any]) -> str:
    if not options:
        return ""
    method = t(f"train.{options['method']}")
    rank = f" r{options['lora']['rank']}" if options["method"] == "lora" else ""
    return f"{method}{rank} · {t('jobs.epochs', epochs=options['epochs'])}"


def _listed(names: Sequence[str]) -> str:
    more = f" +{len(names) - SHOWN}" if len(names) > SHOWN else ""
    return t("dataset.comma").join(names[:SHOWN]) + more


def waits_for(job: Job, active: Sequence[Job]) -> str:
    """Which of the ``active`` jobs must end before this one begins; empty for one that works, or is the next."""
    if job.state is not JobState.QUEUED:
        return ""
    ahead = [
        other
        for other in active
        if other.lane == job.lane
        and (other.state is not JobState.QUEUED or (other.id < job.id and not other.needs_key))
    ]
    names = [f"{t(f'jobs.kind.{other.kind}')} #{other.id}" for other in sorted(ahead, key=lambda other: other.id)]
    return t("jobs.waits_for", jobs=_listed(names)) if names else ""


def can_resume(db: Database, job: Job) -> bool:
    """Whether going on makes sense: it ended before it was done, and its run still has the dataset it began with."""
    if job.state.active or job.state is JobState.DONE:
        return False
    run = Runs(db).of_job(job.id) if job.kind == "train" else None
    return run is None or any((d.name, d.hash) == (run.dataset, run.dataset_hash) for d in Datasets(db).all())


def experiment_name(label: str) -> str:
    """An experiment of the five by the words of the page; one that is unknown by its label."""
    group, _, value = label.partition("-")
    if group == "only":
        return t("jobs.experiment_only", kind=t(f"captions.{value}"))
    if group == "rank":
        return f"{t('experiments.rank')} {value}"
    if group == "lora":
        return f"{t('experiments.lora')} {value}"
    return t(f"experiments.{label}") if label in ("zero-shot", "full") else label
