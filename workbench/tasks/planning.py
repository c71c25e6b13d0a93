"""Before a run: what it will take, counted at once or measured as a job, and fetching weights that are missing."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from core.errors import InputError
from core.records import Job
from db.experiments import Datasets
from db.jobs import Jobs
from workbench.jobs.kinds import JobContext
from workbench.tasks.models import base_name, download
from workbench.tasks.splits import with_pixels

if TYPE_CHECKING:
    from core.model.lora import LoraConfig
    from core.model.spec import ModelSpec
    from core.model.trainable import Notice, Parameters
    from core.training.config import TrainConfig

_LOOKED_AT = 50
"""Jobs of a kind among which one for the same question is looked for."""


def spec_named(model: str) -> "ModelSpec | None":
    """The shape of mini or a released model, whether its weights are here or not; None for a file of one's own."""
    from core.model.spec import MINI, RELEASED, ModelSpec, mini_config, released_config

    if model == MINI:
        return ModelSpec(MINI, mini_config())
    return ModelSpec(model, released_config(model)) if model in RELEASED else None


@lru_cache(maxsize=64)
def trainable_of(model: str, lora: "LoraConfig | None") -> "Parameters | None":
    """How many numbers are trained of how many, counted without the weights; None for a file of one's own.

    ``lora`` None: full fine-tuning. Raises InputError as :func:`core.model.trainable.parameters_of`.
    """
    from core.model.trainable import parameters_of

    spec = spec_named(model)
    return parameters_of(spec, lora) if spec else None


def notices_of(model: str, config: "TrainConfig") -> "tuple[Notice, ...]":
    """What people should know of the method on this model before they start."""
    from core.model.trainable import notices

    spec = spec_named(model)
    return notices(spec, config.lora if config.method == "lora" else None) if spec else ()


def steps_an_epoch(db: Database, dataset: str, config: "TrainConfig") -> int:
    """How many steps an epoch has, as :func:`core.training.batches.epoch_batches` cuts it; 0 for an empty split."""
    pictures = int(Datasets(db).get(dataset).manifest["splits"].get("train", {}).get("images", 0))
    return min(-(-pictures // config.effective_batch), max(1, pictures // 2)) if pictures else 0


def plan_job(context: JobContext, params: dict[str, Any]) -> dict[str, Any]:
    """Job: load ``model``, find what fits and time a few steps on the texts of ``dataset`` with ``options``.

    Pictures are not decoded: what is in them takes neither time nor memory. ``process_bytes`` is what the process of
    the run will take on a CPU, 0 on a card and where the system does not say.
    """
    import numpy as np

    from core.dataset.reader import read_split, splits_of
    from core.model.loading import load_model
    from core.training.config import TrainConfig
    from core.training.memory import is_cuda, memory_used
    from core.training.plan import make_plan

    home, dataset = context.home, params["dataset"]
    if "train" not in splits_of(home.datasets / dataset):
        raise InputError("split_missing", name=dataset, split="train")
    context.progress.report(0, 2, "progress.plan_loading")
    model = load_model(base_name(home, params["model"]), home.weights, params.get("device") or "auto")
    split = read_split(home.datasets / dataset, "train")
    side = model.spec.resolution
    blank = np.broadcast_to(np.zeros((1, 3, side, side), np.uint8), (len(split.image_ids), 3, side, side))
    data = with_pixels(split, blank).training_data()
    context.progress.report(1, 2, "progress.plan_measuring")
    plan = make_plan(model, data, TrainConfig.from_dict(params["options"]))
    # A run on a CPU shows its whole process, so the plan does: what this one took, with what a plan has not,
    # the two moments of the optimiser and the pictures.
    used = None if is_cuda(plan.device) else memory_used(plan.device)
    process = used + 8 * plan.trainable + blank[0].nbytes * len(split.image_ids) if used else 0
    return {
        "device": plan.device,
        "trainable": plan.trainable,
        "total": plan.total,
        "micro_batch": plan.micro_batch,
        "effective_batch": plan.effective_batch,
        "steps_per_epoch": plan.steps_per_epoch,
        "epochs": plan.epochs,
        "peak_bytes": plan.peak_bytes,
        "process_bytes": process,
        "epoch_seconds": round(plan.epoch_seconds, 3),
        "seconds": round(plan.epoch_seconds * plan.epochs, 3),
    }


def job_for(db: Database, kind: str, params: Mapping[str, Any]) -> Job | None:
    """The newest job of a kind that was asked exactly this."""
    return next((job for job in Jobs(db).page(kind=kind, limit=_LOOKED_AT) if job.params == dict(params)), None)


def download_for(db: Database, model: str) -> Job | None:
    """The newest download of a model's weights, from either hub."""
    jobs = Jobs(db).page(kind="download", limit=_LOOKED_AT)
    return next((job for job in jobs if job.params["model"] == model), None)


def download_job(context: JobContext, params: dict[str, Any]) -> dict[str, Any]:
    """Job: fetch the weights of ``model`` from ``source``; a resumed job goes on where the file broke off."""
    return download(context.home, params["model"], params["source"], context.progress)


def hubs() -> dict[str, str]:
    """Where weights can be fetched: the name of each hub, and what it is called."""
    from core.model.hubs import HUBS

    return {name: hub.title for name, hub in HUBS.items()}
